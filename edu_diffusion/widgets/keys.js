// Gives an explorer its keys: JupyterLab would take the arrows of a drop-down list to go from cell to cell. It passes
// over what carries this attribute, and its cell never sees what does not bubble. (slider.js, pad.js and widget.js
// do the same.)

function render({ el }) {
  el.style.display = "none";
  const take = () => {
    if (!el.isConnected) return requestAnimationFrame(take); // not in the page yet
    const root = el.closest(".edu-explore");
    root?.setAttribute("data-lm-suppress-shortcuts", "true");
    root?.addEventListener("keydown", (event) => event.stopPropagation());
  };
  take();
}

export default { render };
