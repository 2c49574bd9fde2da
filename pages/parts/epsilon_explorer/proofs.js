// What is proved of the digit: below some ε no change of any kind flips the prediction. The explorer
// asks for it once it shows a digit, and again while it is being computed. The answers come by
// another component (see courier.js), as an event.

const ANSWERED = "small-change-proofs";
const STROKES = 700; // milliseconds after which a digit counts as drawn
const AGAIN = 500; // milliseconds between two looks at a proof that is still being computed
const LOST = 4000; // milliseconds without an answer, the first time; then twice as many
const TRIES = 4;

class ProofAsker {
  constructor(explorer) {
    this.explorer = explorer;
    const heard = () => {
      if (explorer.section.isConnected) this.heard();
      else removeEventListener(ANSWERED, heard);
    };
    addEventListener(ANSWERED, heard);
    // While the slider is dragged, nothing is sent to the server.
    const release = () => (this.isHeld = false);
    explorer.slider.addEventListener("pointerdown", () => {
      this.isHeld = true;
      for (const end of ["pointerup", "pointercancel"]) {
        addEventListener(end, release, { capture: true, once: true });
      }
    });
  }

  // Show what is known of the digit, and ask for the rest; nothing as long as the flip is hidden.
  // It lies beyond what is proved, so that would help to guess it.
  show() {
    clearTimeout(this.timer);
    this.tries = 0;
    this.tell();
    if (this.waitsFor().length) this.askIn(STROKES);
  }

  heard() {
    this.tries = 0;
    this.tell();
    if (this.waitsFor().length) this.askIn(AGAIN);
    else clearTimeout(this.timer);
  }

  // The keys of the proofs that are to come.
  waitsFor() {
    const { data, hidden } = this.explorer;
    if (hidden) return [];
    return data.paths.map(({ proof }) => proof).filter((key) => key && !known(key)?.ended);
  }

  askIn(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (!this.explorer.section.isConnected || !this.waitsFor().length) return;
      if (this.isHeld || document.hidden) this.askIn(AGAIN);
      else this.ask("");
    }, milliseconds);
  }

  // Ask for what is proved; for a better proof of one, if a key is given.
  ask(more) {
    if (more) this.tries = 0;
    if (this.tries === TRIES) return;
    window.smallChangeProofs?.ask?.(more);
    this.askIn(LOST * 2 ** this.tries++);
  }

  tell() {
    const { explorer } = this;
    for (const view of explorer.views) {
      view.proof.show(view.path, explorer.data, explorer.hidden);
    }
  }
}

function known(key) {
  return window.smallChangeProofs?.known.get(key);
}

// What is proved of one network's prediction: its part of the track, and its sentence.
class ProofView {
  constructor(lane, said, more) {
    this.whole = lane.querySelector(".provable");
    this.nearest = lane.querySelector(".nearest");
    this.line = said.querySelector(".proof");
    this.sentence = this.line.querySelector("span");
    this.news = said.querySelector(".news");
    this.button = this.line.querySelector("button");
    this.button.addEventListener("click", () => {
      if (this.button.ariaDisabled !== "true") more(this.key);
    });
  }

  show(path, data, hidden) {
    this.key = path.proof;
    const proof = hidden ? undefined : known(path.proof);
    this.line.hidden = !path.proof;
    this.line.style.visibility = hidden ? "hidden" : ""; // it keeps its place until the flip is seen
    this.showPart(proof, path, data.epsilons.at(-1));
    this.sentence.textContent = hidden || !path.proof ? "" : inWords(proof, path, data);
    this.showButton(proof, data.paths.length > 1 ? ` about ${path.name}` : "");
    // A screen reader announces what has ended, not every step on the way.
    const news = proof?.ended ? this.sentence.textContent : "";
    if (this.news.textContent !== news) this.news.textContent = news;
  }

  // The part of the track that is proved, in what comes before the flip.
  showPart(proof, { flip }, last) {
    const end = flip === null ? last : flip.epsilon;
    this.whole.hidden = !(proof?.epsilon > 0) || !end;
    if (this.whole.hidden) return;
    this.whole.style.width = `${(100 * end) / last}%`;
    this.whole.classList.toggle("centred", flip !== null && end / last >= BEGINS);
    this.whole.style.setProperty("--proved", `${(100 * Math.min(proof.epsilon, end)) / end}%`);
    this.nearest.hidden = !(proof.found !== null && proof.found < end);
    this.nearest.style.left = `${(100 * proof.found) / end}%`;
  }

  // A button for more, which says meanwhile how far that is.
  showButton(proof, whose) {
    const works = Boolean(proof) && !proof.ended && proof.epsilon !== null;
    const { button, line } = this;
    if (button.matches(":focus") && !works && !proof?.canRise) {
      line.tabIndex = -1;
      line.focus({ preventScroll: true }); // the button is gone
    }
    button.hidden = !works && !proof?.canRise;
    button.ariaDisabled = works ? "true" : null;
    let text = proof?.epsilon === null ? "Prove it" : "Prove more";
    if (works) text = proof.ahead ? `${proof.ahead} before you` : `Searching ${inPercent(proof.share)}`;
    if (button.textContent !== text) button.textContent = text;
    button.ariaLabel = works ? null : text + whose;
  }
}

function inWords(proof, path, { title, epsilons, paths, axis }) {
  const whose = paths.length > 1 ? `${path.name}: ` : "";
  if (!proof || (!proof.ended && proof.epsilon === null)) return `${whose}Looking for a proof …`;
  if (proof.epsilon === null) {
    return `${whose}Not proved. ${proof.problem || "For a network of this size it takes a while."}`;
  }
  const [digit] = path.predictions;
  // Rounded down, so that no more is said than is proved.
  const least = (Math.floor(proof.epsilon * 1000 + 1e-9) / 1000).toFixed(axis.digits);
  const after = proof.seconds >= 1 ? `, after a search of ${Math.round(proof.seconds)} s` : "";
  const proved = Number(least)
    ? `Proved${after}: no change below ε\u00a0=\u00a0${least} flips the prediction ${digit}.`
    : `Proved${after}: nothing about the prediction ${digit}.`;
  const end = path.flip?.epsilon ?? epsilons.at(-1);
  const own = `${title} ${path.flip ? "does at" : "does not, up to"} ${budgetText(end, axis)}`;
  const closer = proof.found !== null && proof.found < end
    ? `, the search at ${budgetText(proof.found, axis)}`
    : "";
  const problem = proof.problem ? ` ${proof.problem}` : "";
  return `${whose}${proved} Found: ${own}${closer}. What lies between is open.${problem}`;
}
