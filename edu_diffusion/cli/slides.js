"use strict";
// Makes every slide fit, then shows one at a time. Nothing moves by itself; without this script the page is one long text.
const SIZES = [36, 32, 28]; // px of the letters on a slide of 1280 x 720: the largest that fits
const JOINED = 32; // the same for text and code on one slide
const STEPS = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1 };
const root = document.documentElement, slides = document.querySelector("main").children;
const answers = [...document.querySelectorAll("details")];
const [nav, help, shown] = ["nav", "dialog", "output"].map(name => document.querySelector(name));
let now = null, touched = null;

const fits = slide => slide.scrollHeight <= slide.clientHeight && slide.scrollWidth <= slide.clientWidth;

function fit(slide) {
  for (const size of SIZES) {
    slide.style.fontSize = size / 16 + "rem";
    if (fits(slide)) return;
  }
  const rest = divide(slide);
  if (rest) fit(slide), fit(rest);
  else slide.querySelectorAll("figcaption[aria-hidden]").forEach(caption => { caption.hidden = true; }); // it is the alt text
}

// A cell joins the text before it where both fit on one slide; of a cell that needs two slides the first blocks do.
function join(slide) {
  const before = slide.previousElementSibling, blocks = [...slide.children].slice(1), left = [...blocks];
  for (const one of [before, slide]) one.style.fontSize = JOINED / 16 + "rem";
  const alone = fits(slide);
  while (left.length && fits(before)) before.append(left.shift());
  if (!fits(before)) left.unshift(before.lastElementChild);
  if (!left.length) slide.remove();
  else slide.append(...(alone ? blocks : left));
}

// Move what is too much to a new slide with the same title, and return that: the last blocks, or a part of the only one.
function divide(slide) {
  const [title, ...blocks] = slide.children, moved = [];
  const heights = new Map(blocks.map(block => [block, block.offsetHeight]));
  const height = some => some.reduce((sum, block) => sum + heights.get(block), 0);
  const uneven = () => height([...moved, blocks.at(-1)]) < height(blocks.slice(0, -1));
  const asked = () => moved[0]?.matches(".options"); // a question stays with its options
  while (blocks.length > 1 && (!fits(slide) || uneven() || asked())) {
    moved.unshift(blocks.pop());
    moved[0].remove();
  }
  if (!moved.length) moved.push(...divideBlock(slide, blocks[0]));
  if (!moved.length) return null;
  let rest = slide.nextElementSibling;
  if (!rest?.matches(".continued")) {
    rest = slide.cloneNode(false);
    rest.className = "continued";
    rest.append(title.cloneNode(true));
    slide.after(rest);
  }
  rest.firstElementChild.after(...moved);
  return rest;
}

function divideBlock(slide, block) {
  if (block.matches("details")) return block.childElementCount > 2 ? [block.lastElementChild] : []; // what is said of the answer
  if (!block.matches("ul, ol, pre, table")) return [];
  const rest = block.cloneNode(true);
  const [items, others] = [block, rest].map(one => one.tBodies?.[0] ?? one);
  others.replaceChildren();
  const uneven = () => others.childElementCount < items.childElementCount - 1;
  while (items.childElementCount > 1 && (!fits(slide) || uneven())) others.prepend(items.lastElementChild);
  if (rest.matches("ol")) rest.start = items.childElementCount + 1;
  return others.childElementCount ? [rest] : [];
}

function layout() {
  const open = answers.map(answer => answer.open);
  root.classList.add("slides", "measured");
  answers.forEach(answer => { answer.open = true; });
  document.querySelectorAll(".joins").forEach(join);
  [...slides].forEach(fit);
  answers.forEach((answer, i) => { answer.open = open[i]; });
  root.classList.remove("measured");
}

function show(number) {
  now?.classList.remove("now");
  now = slides[Math.min(Math.max(number, 1), slides.length) - 1];
  now.classList.add("now");
  number = [...slides].indexOf(now) + 1;
  shown.textContent = `${number} / ${slides.length}`;
  history.replaceState(null, "", `#${number}`);
  now.focus({ preventScroll: true });
}

function step(by) {
  const answer = by > 0 && now.querySelector("details:not([open])");
  if (answer) answer.open = true;
  else show([...slides].indexOf(now) + 1 + by);
}

addEventListener("keydown", event => {
  const { key, target } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || help.open) return;
  if (key === " " && target.closest("button, summary")) return; // it presses what has the focus
  if (key in STEPS) step(key === " " && event.shiftKey ? -1 : STEPS[key]);
  else if (key === "Home" || key === "End") show(key === "Home" ? 1 : slides.length);
  else if (key === "?") help.showModal();
  else return;
  event.preventDefault();
});
addEventListener("touchstart", event => { touched = event.touches.length === 1 ? event.touches[0] : null; }, { passive: true });
addEventListener("touchend", event => {
  const [across, down] = ["clientX", "clientY"].map(side => event.changedTouches[0][side] - (touched?.[side] ?? NaN));
  if (Math.abs(across) > 60 && Math.abs(across) > 2 * Math.abs(down)) step(across < 0 ? 1 : -1);
});
addEventListener("beforeprint", () => answers.forEach(answer => { answer.dataset.open = answer.open; answer.open = true; }));
addEventListener("afterprint", () => answers.forEach(answer => { answer.open = answer.dataset.open === "true"; }));
addEventListener("hashchange", () => show(Number(location.hash.slice(1)) || 1));
addEventListener("resize", () => { layout(); show([...slides].indexOf(now) + 1); });
addEventListener("load", () => {
  const [before, next, keys] = nav.querySelectorAll("button");
  before.onclick = () => step(-1);
  next.onclick = () => step(1);
  keys.onclick = () => help.showModal();
  nav.hidden = false;
  layout();
  show(Number(location.hash.slice(1)) || 1);
});
