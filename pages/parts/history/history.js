// Streamlit adds an entry to the browser's history whenever the server changes the address. Two kinds
// of entries are no steps of their own for Back, so they take the place of the last one:
// - what the page corrects by itself: nobody has done anything since the last entry,
// - another stop of the same slider soon after the last one.

const SOON = 2000; // milliseconds
const SLIDERS = ["[data-testid=stSlider]", "input[type=range]"]; // Streamlit's, and any other

export default function () {
  if (history.pushState.chooses) return;
  chooseEntries();
  closeMenu();
}

function chooseEntries() {
  const push = history.pushState.bind(history);
  const replace = history.replaceState.bind(history);
  let done = { at: 0 }; // what somebody did last, if no entry stands for it yet; not known at first
  let last = null; // what the last entry stands for

  const begin = (event) => {
    const path = event.composedPath();
    const found = SLIDERS.map((kind) => path.find((element) => element.matches?.(kind)));
    const slider = found.find(Boolean);
    done = { at: Date.now(), slider };
  };
  const goOn = () => (done = { ...done, at: Date.now() });
  const listen = (names, heard) => {
    for (const name of names) addEventListener(name, heard, { capture: true, passive: true });
  };
  listen(["pointerdown", "keydown", "drop", "paste"], begin);
  listen(["pointerup", "keyup", "click", "change"], goOn);
  listen(["popstate"], () => (done = last = null));

  history.pushState = (...entry) => {
    if (!done) return replace(...entry);
    const again = done.slider && done.slider === last?.slider && done.at - last.at < SOON;
    last = done;
    done = null;
    return again ? replace(...entry) : push(...entry);
  };
  history.pushState.chooses = true;
}
