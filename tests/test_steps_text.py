import math

import pytest
import tiny
import torch
from tiny import twin
from torch.testing import assert_close
from transformers import CLIPConfig, CLIPModel

from edu_diffusion import steps


@pytest.fixture(scope="module")
def clip():
    words = tiny.tokenizer()
    text = tiny.text_encoder(words).config.to_dict()
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 16,
        "patch_size": 8,
    }
    torch.manual_seed(0)
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)).double().eval()


@twin("similarity", "contrastive_loss")
@pytest.mark.parametrize("B, seed", [(1, 0), (2, 1), (5, 2)])
@torch.no_grad()
def test_clip(clip, B, seed):
    captions = [f"a {word} cat" for word in "red blue green old new".split()[:B]]
    ids = tiny.tokenizer()(captions, padding="max_length", return_tensors="pt").input_ids
    pixels = torch.randn(B, 3, 16, 16, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    want = clip(input_ids=ids, pixel_values=pixels, return_loss=True)
    text = clip.get_text_features(input_ids=ids).pooler_output
    image = clip.get_image_features(pixel_values=pixels).pooler_output
    assert_close(steps.similarity(text, image, clip.logit_scale), want.logits_per_text)
    assert_close(steps.contrastive_loss(text, image, clip.logit_scale), want.loss)


def test_similarity_of_different_numbers_and_lengths():
    S = steps.similarity(torch.eye(3)[:2] * 5, torch.eye(3), torch.tensor(2.0).log())
    assert_close(S, 2 * torch.eye(3)[:2])


def test_loss_of_perfect_and_of_useless_pairs():
    scale = torch.tensor(100.0).log()
    assert steps.contrastive_loss(torch.eye(4), torch.eye(4), scale) < 1e-6
    assert_close(steps.contrastive_loss(torch.ones(4, 8), torch.ones(4, 8), scale).item(), math.log(4))


@twin("contrastive_loss")
@pytest.mark.parametrize("B, seed", [(1, 0), (4, 1), (6, 2)])
def test_loss_without_the_masked_pairs(B, seed):
    """Each text is asked among the pictures that it may not be true of, and its own; likewise each picture."""
    rng = torch.Generator().manual_seed(seed)
    text, image = torch.randn(2, B, 8, generator=rng, dtype=torch.float64)
    masked, scale = torch.rand(B, B, generator=rng) < 0.4, torch.tensor(1.5)
    S, want = steps.similarity(text, image, scale), 0
    for i in range(B):
        pictures = [S[i, j].exp() for j in range(B) if j == i or not masked[i, j]]
        texts = [S[j, i].exp() for j in range(B) if j == i or not masked[j, i]]
        want += (sum(pictures).log() + sum(texts).log() - 2 * S[i, i]) / (2 * B)
    assert_close(steps.contrastive_loss(text, image, scale, masked), want)
    assert_close(steps.contrastive_loss(text, image, scale, torch.zeros_like(masked)), steps.contrastive_loss(text, image, scale))


def test_twins_in_a_batch_are_no_mistake_when_they_are_masked():
    """The same caption and picture twice: nobody can tell them apart, and masked they need not."""
    text, image = torch.ones(2, 8, requires_grad=True), torch.ones(2, 8, requires_grad=True)
    scale, twins = torch.tensor(2.0), torch.tensor([[False, True], [True, True]])
    assert_close(steps.contrastive_loss(text, image, scale).item(), math.log(2))
    loss = steps.contrastive_loss(text, image, scale, twins)
    assert loss.item() == 0 and all(g.isfinite().all() for g in torch.autograd.grad(loss, (text, image)))
