// Leaves the keys of a drop-down list to the browser: JupyterLab listens before anybody else, and takes the arrows
// to go from cell to cell. At the window, on its way down, an event is stopped before JupyterLab sees it.

function render({ el }) {
  el.style.display = "none";
  const guard = (event) => {
    if (event.target.closest?.(".edu-explore select")) event.stopPropagation();
  };
  window.addEventListener("keydown", guard, true);
  return () => window.removeEventListener("keydown", guard, true);
}

export default { render };
