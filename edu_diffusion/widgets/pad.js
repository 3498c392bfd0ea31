// The drawing surface of pad.py. It shows `background` (RGB bytes) enlarged, and over it `drawn`, one byte for
// each pixel: 0, or the number of a colour. After every stroke `drawn` is sent back. Nothing is fetched.

const EDGE = 384; // pixels of the screen, at most
const MEMORY = 50; // strokes that can be undone

const STYLE = `
.edu-pad { background: #fff; color: #1a1a1a; font: 15px/1.45 sans-serif; padding: 8px; max-width: 480px; }
.edu-pad canvas { display: block; border: 1px solid #5f6b76; cursor: crosshair; touch-action: none; max-width: 100%; }
.edu-pad .bar { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin: 4px 0; }
.edu-pad button, .edu-pad select, .edu-pad input { font: inherit; padding: 3px 9px; color: #1a1a1a;
  background: #fff; border: 1px solid #5f6b76; border-radius: 4px; }
.edu-pad input { width: 4em; }
.edu-pad button[aria-pressed=true] { background: #1a1a1a; color: #fff; }
.edu-pad :is(button, select, input, canvas):focus-visible { outline: 3px solid #0072b2; outline-offset: 1px; }
.edu-pad p { margin: 2px 0; color: #4d5863; }
`;

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function html(name, attributes = {}, words = "", ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (words !== "") element.textContent = words;
  element.append(...children);
  return element;
}

// The bytes of a trait, as a copy of our own.
function bytes(model, name) {
  const view = model.get(name);
  return view && view.byteLength ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice() : null;
}

const same = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);

const rgb = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));

// Colour the pixels of a round brush around a place.
function stamp(drawn, size, [x, y], width, ink) {
  const reach = width / 2, shift = width % 2 ? 0 : 0.5; // an even brush has its middle between pixels
  for (let row = Math.floor(y - reach); row <= y + reach; row++) {
    for (let column = Math.floor(x - reach); column <= x + reach; column++) {
      const inside = (column - x + shift) ** 2 + (row - y + shift) ** 2 <= reach ** 2;
      if (inside && row >= 0 && column >= 0 && row < size && column < size) drawn[row * size + column] = ink;
    }
  }
}

// Stamp from one place to another, without gaps.
function line(drawn, size, from, to, width, ink) {
  const count = Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]), 1);
  for (let k = 0; k <= count; k++) {
    const at = [0, 1].map((axis) => Math.round(from[axis] + ((to[axis] - from[axis]) * k) / count));
    stamp(drawn, size, at, width, ink);
  }
}

// RGBA pixels as a small canvas, which is then enlarged.
function tile(size, fill) {
  const canvas = html("canvas", { width: size, height: size });
  const context = canvas.getContext("2d"), image = context.createImageData(size, size);
  for (let i = 0; i < size * size; i++) image.data.set(fill(i), 4 * i);
  context.putImageData(image, 0, 0);
  return canvas;
}

// The controls; each one has a name. Returns their elements.
function controls(model, act) {
  const brush = html("input", { type: "number", min: 1, max: 32, value: model.get("brush") });
  const ink = html("select");
  model.get("names").forEach((name, i) => ink.append(html("option", { value: i + 1 }, name)));
  const erase = html("button", { type: "button", "aria-pressed": false }, "Erase");
  const undo = html("button", { type: "button" }, "Undo");
  const clear = html("button", { type: "button" }, "Clear");
  erase.addEventListener("click", () =>
    erase.setAttribute("aria-pressed", erase.getAttribute("aria-pressed") !== "true"));
  undo.addEventListener("click", act.undo);
  clear.addEventListener("click", act.clear);
  const bar = html("div", { class: "bar" }, "", html("label", {}, "Brush ", brush));
  if (model.get("names").length > 1) bar.append(html("label", {}, "Colour ", ink));
  bar.append(erase, undo, clear);
  return { bar, brush, ink, erase };
}

function render({ model, el }) {
  const size = model.get("size"), scale = Math.max(Math.floor(EDGE / size), 1);
  let drawn = bytes(model, "drawn") || new Uint8Array(size * size);
  let sent = drawn.slice(), history = [], last = null, cursor = [size >> 1, size >> 1], down = false;

  const ui = controls(model, {
    undo: () => history.length && change(() => (drawn = history.pop()), false),
    clear: () => change(() => drawn.fill(0)),
  });
  const help = "Draw with the mouse or a finger. Keyboard: arrow keys move (with Shift by 8), Space draws, " +
    "Enter puts the pen down or lifts it, Ctrl+Z undoes.";
  const canvas = html("canvas", { width: size * scale, height: size * scale, tabindex: 0, role: "application",
    "aria-label": `${model.get("label")}, ${size} by ${size} pixels. ${help}` });
  const status = html("p", { role: "status" });
  // JupyterLab must not take the keys for its own commands
  const root = html("div", { class: "edu-pad", "data-lm-suppress-shortcuts": true }, "",
    html("style", {}, STYLE), ui.bar, canvas, html("p", {}, help), status);

  const width = () => Math.min(Math.max(Math.round(Number(ui.brush.value)) || 1, 1), 32);
  const ink = () => (ui.erase.getAttribute("aria-pressed") === "true" ? 0 : Number(ui.ink.value) || 1);

  function paint() {
    const context = canvas.getContext("2d"), ground = bytes(model, "background");
    const inks = model.get("colours").map(rgb), edge = size * scale;
    context.imageSmoothingEnabled = false;
    const below = (i) => (ground ? [...ground.slice(3 * i, 3 * i + 3), 255] : [255, 255, 255, 255]);
    context.drawImage(tile(size, below), 0, 0, edge, edge);
    context.globalAlpha = model.get("opacity");
    context.drawImage(tile(size, (i) => (drawn[i] ? [...inks[drawn[i] - 1], 255] : [0, 0, 0, 0])), 0, 0, edge, edge);
    context.globalAlpha = 1;
    if (document.activeElement === canvas && canvas.matches(":focus-visible")) mark(context);
  }

  // Where the keyboard is: a square that is seen on light and on dark.
  function mark(context) {
    const half = (width() * scale) / 2, [x, y] = cursor.map((v) => (v + 0.5) * scale);
    for (const [colour, thick] of [["#fff", 5], ["#1a1a1a", 2]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: thick });
      context.strokeRect(x - half, y - half, 2 * half, 2 * half);
    }
  }

  function say() {
    const count = drawn.reduce((n, value) => n + (value > 0), 0);
    status.textContent = `Column ${cursor[0] + 1}, row ${cursor[1] + 1}; pen ${down ? "down" : "up"}; ` +
      `${count} of ${size * size} pixels drawn on.`;
  }

  // Do something to what is drawn, as one stroke that can be undone, and send it.
  function change(act, remember = true) {
    const before = drawn.slice();
    act();
    if (remember && !same(before, drawn)) history = [...history, before].slice(-MEMORY);
    send();
  }

  function send() {
    sent = drawn.slice();
    model.set("drawn", new DataView(sent.slice().buffer));
    model.save_changes();
    paint();
    say();
  }

  function place(event) {
    const box = canvas.getBoundingClientRect(); // its border is not part of the picture
    const inner = [canvas.clientWidth, canvas.clientHeight];
    const corner = [box.left + canvas.clientLeft, box.top + canvas.clientTop];
    return [event.clientX, event.clientY].map((v, axis) => Math.floor(((v - corner[axis]) / inner[axis]) * size));
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    history = [...history, drawn.slice()].slice(-MEMORY);
    last = place(event);
    stamp(drawn, size, last, width(), ink());
    paint();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const next = place(event);
    line(drawn, size, last, next, width(), ink());
    last = next;
    paint();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      if (!last) return;
      cursor = last.map((v) => Math.min(Math.max(v, 0), size - 1));
      last = null;
      send();
    });
  }

  function move(by, far) {
    const from = cursor;
    cursor = from.map((v, axis) => Math.min(Math.max(v + by[axis] * far, 0), size - 1));
    if (down) change(() => line(drawn, size, from, cursor, width(), ink()));
  }

  canvas.addEventListener("keydown", (event) => {
    const keys = {
      " ": () => change(() => stamp(drawn, size, cursor, width(), ink())),
      Enter: () => (down = !down) && change(() => stamp(drawn, size, cursor, width(), ink())),
      z: () => event.ctrlKey && history.length && change(() => (drawn = history.pop()), false),
    };
    if (MOVES[event.key]) move(MOVES[event.key], event.shiftKey ? 8 : 1);
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
    event.stopPropagation();
    paint();
    say();
  });
  for (const name of ["focus", "blur"]) canvas.addEventListener(name, paint);

  // Python has set something. (Our own strokes come back as an echo, perhaps while the next one is being drawn.)
  function told() {
    const now = bytes(model, "drawn") || new Uint8Array(size * size);
    if (!same(now, sent)) {
      history = [...history, drawn].slice(-MEMORY);
      [drawn, sent] = [now, now.slice()];
    }
    paint();
    say();
  }
  model.on("change:drawn", told);
  model.on("change:background", paint);
  root.addEventListener("keydown", (event) => event.stopPropagation());
  el.append(root);
  paint();
  say();
  return () => {
    model.off("change:drawn", told);
    model.off("change:background", paint);
  };
}

export default { render };
