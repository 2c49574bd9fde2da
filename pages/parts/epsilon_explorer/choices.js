// What is chosen here and kept in the address: a second network, and whether one predicts first.

class Choices {
  constructor(root, explorer) {
    this.explorer = explorer;
    this.select = root.querySelector(".compare select");
    this.toggle = root.querySelector(".predict input");
    this.guess = root.querySelector(".guess");
    this.meant = root.querySelector(".meant");
    this.select.addEventListener("change", () => explorer.tell("compare", this.select.value));
    this.toggle.addEventListener("change", () =>
      explorer.tell("predict", this.toggle.checked ? "on" : "off"));
    this.guess.querySelector("button").addEventListener("click", () => {
      explorer.reveal();
      explorer.tellRest();
      explorer.slider.focus(); // the button is gone
    });
  }

  show({ choices, axis, paths }) {
    this.meant.hidden = Boolean(choices?.fixed);
    for (const control of [this.select, this.toggle]) {
      control.parentElement.hidden = choices === null || choices.fixed;
    }
    if (choices === null) return;
    const networks = [["", "none"], ...choices.networks];
    if (networks.map(([name]) => name).join() !==
        [...this.select.options].map(({ value }) => value).join()) {
      this.select.replaceChildren(...networks.map(([name, shown]) => new Option(shown, name)));
    }
    this.select.value = choices.compare;
    this.toggle.checked = choices.predict;
    const where = axis.unit ? "At which share of the change" : `At which ${axis.name}`;
    this.guess.firstElementChild.textContent =
      `${where} does ${paths.length > 1 ? "each" : "it"} flip, and to what?`;
  }
}
