// The clickable map of a run. All of it is plain SVG and HTML; every word enters as text, never as markup.
// Nothing moves, nothing is fetched. What a box holds is computed in Python (details.py) and comes as `details`.

const SVG = "http://www.w3.org/2000/svg";
const ROUND = { data: 16, network: 5, formula: 5 };

const STYLE = `
.edu-map { background: #fff; color: #1a1a1a; font: 15px/1.45 sans-serif; padding: 8px; max-width: 900px; }
.edu-map .scroll { overflow-x: auto; }
.edu-map svg { display: block; width: 100%; min-width: 680px; }
.edu-map.exam text.note { display: none; }
.edu-map .box { cursor: pointer; outline: none; }
.edu-map .box[aria-disabled=true] { cursor: default; }
.edu-map .shape { stroke: #5f6b76; stroke-width: 1.2; fill: #fff; }
.edu-map .network .shape { fill: #e8eef4; }
.edu-map .box[aria-pressed=true] .shape { stroke: #e69f00; stroke-width: 4; }
.edu-map .box[aria-pressed=true] text:first-of-type { font-weight: bold; }
.edu-map .box:focus-visible .ring { stroke: #0072b2; stroke-width: 3; }
.edu-map .ring { fill: none; stroke: none; }
.edu-map text { font: 14px sans-serif; fill: #1a1a1a; text-anchor: middle; }
.edu-map text.small { font-size: 12px; fill: #4d5863; }
.edu-map text.note { font-size: 12px; fill: #4d5863; text-anchor: start; }
.edu-map polyline { fill: none; stroke: #0072b2; stroke-width: 1.6; }
.edu-map polyline.skip { stroke: #5f6b76; stroke-width: 1; }
.edu-map .bar { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin: 4px 0; }
.edu-map button, .edu-map select, .edu-map input { font: inherit; padding: 3px 9px; color: #1a1a1a;
  background: #fff; border: 1px solid #5f6b76; border-radius: 4px; }
.edu-map button[aria-pressed=true] { background: #1a1a1a; color: #fff; }
.edu-map :is(button, select, input, summary, pre, .scroll):focus-visible { outline: 3px solid #0072b2; outline-offset: 1px; }
.edu-map h3 { margin: 8px 0 2px; font-size: 17px; }
.edu-map p { margin: 2px 0; }
.edu-map .alert { color: #a1260d; }
.edu-map dl { display: grid; grid-template-columns: max-content 1fr; gap: 1px 16px; margin: 6px 0; }
.edu-map dt { color: #4d5863; }
.edu-map dd { margin: 0; overflow-wrap: anywhere; }
.edu-map img { max-width: 100%; height: auto; }
.edu-map pre { overflow: auto; max-height: 320px; background: #f5f7fa; padding: 8px; font-size: 13px; line-height: 1.4; }
.edu-map mark { background: #ffe8b3; color: #1a1a1a; font-weight: bold; }
`;

// An HTML element. `words` become text; children are elements.
function html(name, attributes = {}, words = "", ...children) {
  return filled(document.createElement(name), attributes, words, children);
}

function svg(name, attributes = {}, words = "", ...children) {
  return filled(document.createElementNS(SVG, name), attributes, words, children);
}

function filled(element, attributes, words, children) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (words !== "") element.textContent = String(words);
  element.append(...children);
  return element;
}

function button(words, act, attributes = {}) {
  const element = html("button", { type: "button", ...attributes }, words);
  element.addEventListener("click", act);
  return element;
}

class PipelineView {
  constructor(model, el) {
    this.model = model;
    this.counted = false; // whether the exam's answers are marked in the map
    this.bar = html("div", { class: "bar" });
    this.problem = html("p", { class: "alert", role: "alert" });
    this.map = html("div", { class: "scroll" });
    this.status = html("div", { role: "status" });
    this.panel = html("div");
    // JupyterLab listens for its keys before anybody else; here they are ours.
    this.root = html("div", { "data-lm-suppress-shortcuts": "true" }, "", html("style", {}, STYLE), this.bar,
      this.problem, this.map, this.status, this.panel);
    this.root.addEventListener("keydown", (event) => event.stopPropagation());
    el.append(this.root);
    this.listen({
      "change:diagram": () => this.drawAll(), "change:exam": () => this.drawAll(),
      "change:chosen": () => { this.label(); if (this.exam) this.drawPanel(); },
      "change:details": () => { if (!this.exam) this.drawPanel(); }, "change:steps": () => this.drawBar(),
      "change:step": () => this.drawBar(), "change:problem": () => this.say(),
      "change:answers": () => this.label(), "change:marks": () => { this.label(); this.drawMarks(); },
    });
    this.drawAll();
  }

  get exam() { return this.model.get("exam"); }
  get boxes() { return this.model.get("diagram").boxes || []; }
  get open() { return this.boxes.filter((box) => !(this.exam && box.inside)); } // what can be chosen now

  listen(handlers) {
    this.handlers = handlers;
    for (const [event, act] of Object.entries(handlers)) this.model.on(event, act);
  }

  remove() {
    for (const [event, act] of Object.entries(this.handlers)) this.model.off(event, act);
  }

  put(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  choose(name) {
    this.put("chosen", name);
    if (this.exam) this.panel.querySelector("select")?.focus();
  }

  drawAll() {
    this.root.className = this.exam ? "edu-map exam" : "edu-map"; // without the words at the arrows
    this.drawBar();
    this.drawMap();
    this.drawPanel();
    this.say();
  }

  say() { this.problem.textContent = this.model.get("problem"); }

  // ------------------------------------------------------------ the controls above

  drawBar() {
    const kept = this.bar.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    const steps = this.model.get("steps");
    const exam = button("Exam: name the boxes", () => this.toggle(), { "aria-pressed": this.exam, "data-name": "exam" });
    const items = [button("Previous box", () => this.go(-1), { "data-name": "back" }),
      button("Next box", () => this.go(1), { "data-name": "next" }), exam];
    if (steps > 1 && !this.exam) items.push(this.stepInput(steps));
    this.bar.replaceChildren(...items);
    if (kept) this.bar.querySelector(`[data-name="${kept}"]`)?.focus();
  }

  stepInput(steps) {
    const input = html("input", { type: "number", min: 1, max: steps, "data-name": "step" });
    input.value = this.model.get("step");
    input.addEventListener("change", () => {
      const step = Math.min(Math.max(Math.round(Number(input.value)) || 1, 1), steps);
      input.value = step;
      this.put("step", step);
    });
    return html("label", {}, `Step of ${steps}: `, input);
  }

  go(by) {
    const names = this.open.map((box) => box.name);
    if (!names.length) return;
    const at = names.indexOf(this.model.get("chosen"));
    this.put("chosen", names[(at + by + names.length) % names.length]);
  }

  toggle() {
    this.counted = false;
    const exam = !this.exam;
    const chosen = this.boxes.find((box) => box.name === this.model.get("chosen"));
    this.model.set("exam", exam);
    if (exam && (!chosen || chosen.inside)) this.model.set("chosen", this.boxes[0].name);
    this.model.save_changes();
  }

  // ------------------------------------------------------------ the map

  drawMap() {
    const { arrows = [], frame = [0, 0, 0, 0], width = 1, height = 1 } = this.model.get("diagram");
    const [x, y, wide, high] = frame;
    this.nodes = {};
    const boxes = this.boxes.map((box) => (this.nodes[box.name] = this.box(box)));
    const lines = svg("g", { "aria-hidden": "true" }, "", ...arrows.flatMap((arrow) => this.arrow(arrow)));
    this.map.replaceChildren(svg("svg", {
      viewBox: `0 0 ${width} ${height}`, role: "group",
      "aria-label": "Map of the pipeline. Go from box to box with Tab, open one with Enter.",
    }, "", svg("rect", { x, y, width: wide, height: high, class: "shape" }), lines, ...boxes));
    this.label();
  }

  arrow({ points, skip, words, at }) {
    const kind = skip ? "skip" : "flow";
    const line = svg("polyline", { points: points.map((p) => p.join(",")).join(" "), class: kind });
    const [[ax, ay], [bx, by]] = points.slice(-2);
    const angle = (Math.atan2(by - ay, bx - ax) * 180) / Math.PI;
    const size = skip ? 6 : 8;
    const head = svg("path", { d: `M0,0 L${-size},${size / 2} L${-size},${-size / 2} Z`,
      transform: `translate(${bx},${by}) rotate(${angle})`, fill: skip ? "#5f6b76" : "#0072b2" });
    return [line, head, ...(words ? [svg("text", { x: at[0], y: at[1] + 4, class: "note" }, words)] : [])];
  }

  box({ name, kind, x, y, width, height, shape }) {
    const title = height < 40 && width > 2 * height; // the U-Net's: both in one line
    const middle = x + width / 2;
    const texts = [svg("text", { x: title ? middle - 40 : middle, y: y + height / 2 + (shape && !title ? -3 : 5) })];
    if (shape) texts.push(svg("text", { x: title ? middle + 50 : middle, y: y + height / 2 + (title ? 5 : 14), class: "small" }, shape));
    const node = svg("g", { class: `box ${kind}`, role: "button", tabindex: 0 }, "",
      svg("rect", { x: x - 4, y: y - 4, width: width + 8, height: height + 8, rx: ROUND[kind] + 4, class: "ring" }),
      svg("rect", { x, y, width, height, rx: ROUND[kind], class: "shape" }), ...texts);
    const act = () => { if (node.getAttribute("aria-disabled") !== "true") this.choose(name); };
    node.addEventListener("click", act);
    node.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault(); // Space would scroll
      act();
    });
    return node;
  }

  // Write the labels into the map: the correct ones, or in the exam those that were chosen.
  label() {
    const answers = this.model.get("answers"), marks = this.model.get("marks"), chosen = this.model.get("chosen");
    let number = 0;
    for (const box of this.boxes) {
      const node = this.nodes[box.name], text = node.querySelector("text"), hidden = this.exam && box.inside;
      if (!box.inside) number += 1;
      const picked = answers[box.name];
      const mark = !this.counted ? "" : (marks.right || []).includes(box.name) ? "\u2713 "
        : (marks.wrong || []).includes(box.name) ? "\u2717 " : "";
      const spoken = { "\u2713 ": ", right", "\u2717 ": ", wrong" }[mark] || "";
      text.textContent = !this.exam ? box.label : hidden ? "" : mark + (picked || `${number} ?`);
      node.setAttribute("aria-label", !this.exam ? [box.label, box.shape].filter(Boolean).join(", ")
        : hidden ? "a block of the U-Net" : `box ${number}, ${picked ? `labelled ${picked}` : "no label yet"}${spoken}`);
      node.setAttribute("aria-pressed", box.name === chosen);
      node.setAttribute("aria-disabled", hidden);
      node.setAttribute("tabindex", hidden ? -1 : 0);
    }
  }

  // ------------------------------------------------------------ below the map

  drawPanel() {
    if (this.exam) return this.drawExam();
    const { title, words, facts = [], picture, code = [], line, lesson, term, ...rest } = this.model.get("details");
    if (!title) return this.panel.replaceChildren();
    this.status.replaceChildren(html("h3", {}, title), html("p", {}, words));
    const list = html("dl", {}, "", ...facts.flatMap(([what, value]) => [html("dt", {}, what), html("dd", {}, value)]));
    const image = picture ? [html("img", { alt: picture.alt, src: `data:image/png;base64,${picture.png}` })] : [];
    this.panel.replaceChildren(list, ...image, this.code(rest.function, code, line),
      html("p", {}, `Lesson ${lesson}. In the glossary: ${term}.`));
  }

  code(name, lines, marked) {
    const rows = lines.flatMap((text, i) => [i === marked ? html("mark", {}, text) : document.createTextNode(text),
      document.createTextNode("\n")]);
    const line = html("code", {}, (lines[marked] || "").trim());
    const summary = html("summary", {}, `The line that computes it, in ${name}: `, line);
    const text = html("pre", { tabindex: 0, role: "region", "aria-label": `Source of ${name}` }, "", ...rows);
    const whole = html("details", {}, "", summary, text);
    whole.addEventListener("toggle", () => { // bring the line into sight
      const mark = text.querySelector("mark");
      if (mark) text.scrollTop += mark.getBoundingClientRect().top - text.getBoundingClientRect().top - 120;
    });
    return whole;
  }

  drawExam() {
    const name = this.model.get("chosen"), boxes = this.open;
    const number = boxes.findIndex((box) => box.name === name) + 1;
    const select = html("select", {}, "", html("option", { value: "" }, "choose a label"),
      ...this.model.get("choices").map((label) => html("option", { value: label }, label)));
    select.value = this.model.get("answers")[name] || "";
    select.addEventListener("change", () => this.answer(name, select.value));
    const next = button("Next box", () => { this.go(1); this.panel.querySelector("select")?.focus(); });
    const count = button("Check answers", () => { this.counted = true; this.label(); this.drawMarks(); });
    const again = button("Start again", () => { this.counted = false; this.put("answers", {}); this.drawPanel(); });
    this.status.replaceChildren(html("p"));
    this.panel.replaceChildren(html("div", { class: "bar" }, "",
      html("label", {}, `Box ${number} is: `, select), next, count, again));
    this.drawMarks();
  }

  answer(name, label) {
    this.counted = false;
    const answers = { ...this.model.get("answers") };
    if (label) answers[name] = label; else delete answers[name];
    this.put("answers", answers);
    this.label();
    this.drawMarks();
  }

  drawMarks() {
    if (!this.exam || !this.status.firstChild) return;
    const given = Object.keys(this.model.get("answers")).length;
    this.status.firstChild.textContent = this.counted ? this.model.get("marks").words
      : `${given} of ${this.open.length} boxes have a label. "Check answers" shows how many are right.`;
  }
}

function render({ model, el }) {
  const view = new PipelineView(model, el);
  return () => view.remove();
}

export default { render };
