// The clean image, the perturbation and the adversarial image, and how they are downloaded.

const FILES = [SIDE, 20 * SIDE]; // the sides of the pictures to download

class Pictures {
  constructor(panel) {
    this.all = ["clean", "perturbation", "adversarial"].map((name) => {
      const context = panel.querySelector(`canvas.${name}`).getContext("2d");
      return { name, context, canvas: context.canvas, image: context.createImageData(SIDE, SIDE) };
    });
    this.caption = panel.querySelector(".perturbation + figcaption");
  }

  // Draw them for a budget, which `at` has in words.
  draw({ frames, linf_norm }, index, at) {
    const [clean, perturbation, adversarial] = this.all.map(({ image }) => image.data);
    const offset = index * PIXELS;
    const largest = linf_norm[index];
    const gain = largest > 0 ? 1 / (255 * largest) : 0;
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const at = 4 * pixel;
      const x = frames[pixel];
      const perturbed = frames[offset + pixel];
      clean[at] = clean[at + 1] = clean[at + 2] = x;
      adversarial[at] = adversarial[at + 1] = adversarial[at + 2] = perturbed;
      // Orange where the pixel got lighter, blue where darker, dark grey where it stayed.
      const change = Math.max(-1, Math.min(1, (perturbed - x) * gain));
      const [red, green, blue] = change > 0 ? [255, 150, 30] : [60, 150, 255];
      const size = Math.abs(change);
      perturbation[at] = 34 + (red - 34) * size;
      perturbation[at + 1] = 34 + (green - 34) * size;
      perturbation[at + 2] = 34 + (blue - 34) * size;
      clean[at + 3] = perturbation[at + 3] = adversarial[at + 3] = 255;
    }
    for (const { context, image } of this.all) context.putImageData(image, 0, 0);
    const [, changed, attacked] = this.all.map(({ canvas }) => canvas);
    changed.setAttribute("aria-label", "The perturbation: orange where lighter, blue where darker");
    attacked.setAttribute("aria-label", `The adversarial image at ${at}`);
    this.caption.textContent =
      largest > 0 ? `perturbation, shown\u00a0×\u00a0${(1 / largest).toFixed(1)}` : "perturbation";
  }
}

// Download a picture as it is shown. The server has no part in it.
function save({ name, image }, side, prefix) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  // Opaque, and in the memory of the processor: each pixel is written as the byte that it is.
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  context.putImageData(enlarged(image, side), 0, 0);
  const link = document.createElement("a");
  link.download = `${prefix}-${name}-${side}px.png`;
  canvas.toBlob((file) => {
    link.href = URL.createObjectURL(file);
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });
}

// A picture of another side, each pixel the nearest one of the image.
function enlarged(image, side) {
  const picture = new ImageData(side, side);
  const [from, to] = [image, picture].map(({ data }) => new Uint32Array(data.buffer));
  const nearest = Array.from({ length: side }, (_, at) => Math.floor((at * SIDE) / side));
  to.forEach((_, at) => {
    to[at] = from[nearest[Math.floor(at / side)] * SIDE + nearest[at % side]];
  });
  return picture;
}
