"""Narrow models are the published ones but for widths, and what `architecture` says of a model is what its own files say."""

import pytest
import torch

from edu_diffusion import models, steps
from edu_diffusion.errors import EduError
from edu_diffusion.models import architectures

# diffusers hands numpy torch tensors in a way that numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
NARROWER = {  # what may differ from the published configuration
    "text": {
        "hidden_size",
        "intermediate_size",
        "projection_dim",
        "vocab_size",
        "max_position_embeddings",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
    },
    "unet": {
        "block_out_channels",
        "norm_num_groups",
        "cross_attention_dim",
        "addition_time_embed_dim",
        "projection_class_embeddings_input_dim",
        "sample_size",
    },
    "vae": {"block_out_channels", "norm_num_groups", "sample_size"},
}


@pytest.fixture(scope="module", params=models.PUBLISHED)
def both(request):
    return request.param, models.narrow(request.param)


def listed(value):
    return list(value) if isinstance(value, tuple) else value


def test_only_widths_differ(both):
    name, pipe = both
    for part, config in models.PUBLISHED[name].items():
        mine, allowed = getattr(pipe, part).config, NARROWER["text" if "text" in part else part]
        get = mine.get if hasattr(mine, "get") else lambda key, mine=mine: getattr(mine, key)
        differing = {key for key, value in config.items() if listed(get(key)) != listed(value)}
        assert differing <= allowed, (part, differing)
    for key, value in models.SCHEDULERS[name].items():
        assert pipe.scheduler.config[key] == value if key != "_class_name" else type(pipe.scheduler).__name__ == value


def test_as_many_tensors_as_the_published_one(both):
    """Every layer is there, each with fewer numbers."""
    name, pipe = both
    for part, config in models.PUBLISHED[name].items():
        real, mine = architectures.blank(part, config).state_dict(), getattr(pipe, part).state_dict()
        assert real.keys() == mine.keys()
        assert all(real[key].ndim == mine[key].ndim and mine[key].numel() <= real[key].numel() for key in real)


def test_it_draws_and_reads_as_many_tokens(both):
    _, pipe = both
    picture = steps.draw(pipe, "a cat face on a blue background", steps=1, guidance=1)
    assert picture.shape == (1, 3, 64, 64) and steps.embed(pipe, "a cat").shape[1] == 77


def test_a_seed_is_one_set_of_weights_and_disturbs_no_other_random_numbers():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, same, other = (models.narrow("sd15", seed=seed).unet.conv_in.weight for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "given, words",
    [(("sd3",), "There is no published model 'sd3'; there are sd15"), (("sd15", 60), "multiple of 8"), (("sd15", "64"), "size")],
)
def test_wrong_arguments_are_a_sentence(given, words):
    with pytest.raises(EduError, match=words):
        models.narrow(*given)


# ---------------------------------------------------------------- what tells models apart


@pytest.mark.parametrize(
    "name, counts",  # as the models' papers, cards and the library's own counts say
    [
        ("sd15", [123_060_480, 859_520_964, 83_653_863]),
        ("sd2", [340_387_840, 865_910_724, 83_653_863]),
        ("sdxl", [123_060_480, 694_659_840, 2_567_463_684, 83_653_863]),
    ],
)
def test_parameters_of_published_models(name, counts):
    assert list(models.architecture(name).parameters.values()) == counts


def test_facts_of_published_models():
    one, two, xl, turbo = map(models.architecture, ("sd15", "sd2", "sdxl", "turbo"))
    assert [one.image, two.image, xl.image, turbo.image] == [512, 768, 1024, 512]
    assert [one.prediction, two.prediction, xl.prediction] == ["epsilon", "v_prediction", "epsilon"]
    assert [one.scaling_factor, two.scaling_factor, xl.scaling_factor] == [0.18215, 0.18215, 0.13025]
    assert xl.widths == [768, 1280] and xl.transformers == [0, 2, 10] and one.transformers == [1, 1, 1, 0]
    assert xl.latent == (4, 128, 128) and turbo.parameters == xl.parameters


@pytest.mark.parametrize("name", ["sdxl", "turbo"])
def test_the_published_parts_of_xl_fit_together(name):
    """The width of what is added follows from the second text encoder and six sizes."""
    config = models.PUBLISHED[name]
    unet, second = config["unet"], config["text_encoder_2"]
    assert unet["projection_class_embeddings_input_dim"] == second["projection_dim"] + 6 * unet["addition_time_embed_dim"]
    assert unet["cross_attention_dim"] == config["text_encoder"]["hidden_size"] + second["hidden_size"]


def test_a_pipeline_a_name_and_a_folder_say_the_same(tmp_path):
    named = models.architecture("base")
    pipe = models.load("base", "cpu")
    assert named == models.architecture(pipe) == models.architecture(models.path_of("base"))
    parts = [pipe.text_encoder, pipe.unet, pipe.vae]
    assert list(named.parameters.values()) == [sum(p.numel() for p in part.parameters()) for part in parts]
    assert (named.prediction, named.tokens, named.image) == ("v_prediction", 48, 64)


def test_an_unknown_model_is_a_sentence(tmp_path):
    with pytest.raises(EduError):
        models.architecture(tmp_path)
    with pytest.raises(EduError):
        models.architecture("nowhere")
