// A label, the browser's own slider, and a box for the same number. A plain module: no library, no network.

const PAUSE = 40; // ms between two messages to the kernel, at least

// A function that hands values on: the first at once, then the last one of every pause.
function sender(model) {
  let sent = -Infinity;
  let timer = null;
  function send() {
    timer = null;
    sent = performance.now();
    model.save_changes();
  }
  return (value) => {
    model.set("value", value);
    if (timer !== null) return;
    const wait = sent + PAUSE - performance.now();
    if (wait > 0) timer = setTimeout(send, wait);
    else send();
  };
}

function input(type) {
  const part = document.createElement("input");
  part.type = type;
  return part;
}

function render({ model, el }) {
  const label = document.createElement("label"); // around its slider: an id would have to be unique in the page
  const words = document.createElement("span");
  const slider = input("range");
  const box = input("number");
  const send = sender(model);
  label.append(words, slider);
  el.classList.add("edu-slider");
  el.dataset.lmSuppressShortcuts = "true"; // the arrow keys are the slider's, not the notebook's,
  el.addEventListener("keydown", (event) => event.stopPropagation()); // nor those of JupyterLab's tabs
  el.append(label, box);

  function show() {
    const [value, name, spoken] = ["value", "description", "spoken"].map((key) => model.get(key));
    words.textContent = name;
    box.setAttribute("aria-label", model.get("numbered"));
    for (const part of [slider, box]) {
      for (const key of ["min", "max", "step"]) part[key] = model.get(key);
      part.disabled = model.get("disabled");
      part.value = value;
    }
    box.style.width = `${Math.max(String(model.get("max")).length, 3) + 4}ch`;
    if (spoken) {
      slider.setAttribute("aria-valuetext", spoken.replace(/\{(\w+)\}/g, (_, key) => model.get(key)));
    }
  }

  slider.addEventListener("input", () => send(slider.valueAsNumber));
  box.addEventListener("change", () => {
    const typed = box.valueAsNumber;
    if (!Number.isNaN(typed)) send(Math.min(Math.max(typed, model.get("min")), model.get("max")));
    show();
  });
  for (const key of ["value", "min", "max", "step", "description", "numbered", "spoken", "disabled"]) {
    model.on(`change:${key}`, show);
  }
  show();
  return () => model.off(null, show);
}

export default { render };
