// Where one goes on by keyboard, and what a screen reader says. Nothing moves at the first visit, nor
// while the focus is somewhere that is still there.

const FRAMES = 60; // until what gets the focus is on the page

let place; // the last one

export default function ({ data, parentElement }) {
  const status = parentElement.querySelector("[role=status]");
  if (status.textContent !== data.said) status.textContent = data.said;
  const moved = place !== undefined && place !== data.place;
  place = data.place;
  if (moved) bringFocus(data, FRAMES);
}

function bringFocus({ place: wanted, target }, frames) {
  if (place !== wanted || !isLost()) return;
  const found = find(target);
  if (found) {
    if (!found.matches("input, button, a")) found.tabIndex = -1;
    found.focus({ preventScroll: true });
  }
  // Streamlit may still replace what was found.
  if (frames > 0) requestAnimationFrame(() => bringFocus({ place: wanted, target }, frames - 1));
}

// The button that led here may be on the page again, as the one that leads on.
function isLost() {
  const active = document.activeElement;
  return !active || active === document.body || active.closest(".st-key-next") !== null;
}

function find(selector) {
  const shown = document.querySelector(selector);
  if (shown) return shown;
  for (const element of document.querySelectorAll("[data-testid=stMain] *")) {
    const inside = element.shadowRoot?.querySelector(selector);
    if (inside) return inside;
  }
  return null;
}
