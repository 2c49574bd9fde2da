// Big screen: the digit and the live ε as large as the screen allows, and nothing else. A class of
// the document's root says that it is on, so that it outlives an explorer that goes away for a
// while. The browser is asked for the whole screen; where it refuses, the window is what there is.

const ON = "big-screen";
const KEY_OFF = "small-change-no-key"; // a browser remembers whether the key F is off
const TEXT = "input:not([type=range], [type=checkbox], [type=radio]), textarea, select";

class BigScreen {
  constructor() {
    this.root = document.documentElement;
    this.style = document.createElement("style");
    this.style.textContent = BIG_SCREEN_CSS;
    // It stays when the canvas is cleared and the explorer goes away.
    this.way = document.createElement("button");
    this.way.type = "button";
    this.way.id = "leave-big-screen";
    this.way.textContent = "Leave (Esc)";
    this.way.addEventListener("click", () => this.leave());
    document.addEventListener("keydown", (event) => this.pressed(event));
    document.addEventListener("fullscreenchange", () => {
      if (this.isOn && !document.fullscreenElement) this.leave();
    });
    addEventListener("popstate", () => {
      if (this.isOn && location.pathname !== this.path) this.leave();
    });
  }

  get isOn() {
    return this.root.classList.contains(ON);
  }

  // Take up the explorer that is on the page now, with its button and the switch of the key.
  attach(section) {
    if (this.section !== section) {
      this.section = section;
      section.querySelector(".big-button").addEventListener("click", () => this.enter());
      const key = section.querySelector(".key input");
      key.checked = keyIsOn();
      key.addEventListener("change", () => rememberKey(key.checked));
    }
    this.arrange();
  }

  toggle() {
    if (this.isOn) this.leave();
    else this.enter();
  }

  enter() {
    this.path = location.pathname;
    this.focused = this.section.getRootNode().activeElement ?? document.activeElement;
    this.page = document.querySelector("[data-testid=stMain]"); // it scrolls
    this.place = this.page.scrollTop;
    document.head.append(this.style);
    document.querySelector("[data-testid=stApp]").append(this.way);
    this.root.classList.add(ON);
    this.arrange();
    this.section.querySelector("#epsilon").focus({ preventScroll: true });
    this.page.scrollTop = 0;
    this.root.requestFullscreen?.().catch(() => {});
  }

  leave() {
    this.root.classList.remove(ON);
    this.style.remove();
    this.way.remove();
    this.arrange();
    if (this.focused.isConnected) this.focused.focus({ preventScroll: true });
    this.page.scrollTop = this.place;
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  }

  // Mark the parts of the page that stay: the canvas, if there is one, beside the explorer.
  arrange() {
    for (const part of document.querySelectorAll("[data-big]")) delete part.dataset.big;
    this.section.classList.toggle("big", this.isOn);
    if (!this.isOn) return;
    const cell = this.section.getRootNode().host.closest("[data-testid=stElementContainer]");
    const canvas = document.querySelector("[class*=st-key-canvas-]");
    if (canvas) {
      let desk = cell.parentElement;
      while (!desk.contains(canvas)) desk = desk.parentElement;
      desk.dataset.big = "desk";
      for (const part of desk.children) {
        if (part.contains(canvas)) part.dataset.big = "digit";
        if (part.contains(cell)) part.dataset.big = "result";
      }
    }
    cell.dataset.big = "explorer";
  }

  pressed(event) {
    const { key, ctrlKey, metaKey, altKey } = event;
    if (key === "Escape" && this.isOn) this.leave();
    if (key.toLowerCase() !== "f" || ctrlKey || metaKey || altKey || !keyIsOn()) return;
    const [target] = event.composedPath();
    if (target.matches?.(TEXT) || target.isContentEditable) return;
    if (this.isOn || this.section.isConnected) this.toggle();
  }
}

let bigScreen;

function attachBigScreen(section) {
  bigScreen ??= new BigScreen();
  bigScreen.attach(section);
}

function keyIsOn() {
  try {
    return localStorage.getItem(KEY_OFF) === null;
  } catch {
    return true; // a browser that remembers nothing
  }
}

function rememberKey(on) {
  try {
    if (on) localStorage.removeItem(KEY_OFF);
    else localStorage.setItem(KEY_OFF, "1");
  } catch {} // likewise
}
