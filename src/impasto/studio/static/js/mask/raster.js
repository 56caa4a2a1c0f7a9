// A mask as coverage from 0 to 255, on a canvas whose alpha is the coverage.

export const LONGEST = 1024; // px, of a mask that is sent
const MOST_UNDO = 16;
const SOFT = 0.012; // radius of one softening, as a share of the longest side

export class Raster {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas, width, height, colour) {
    const scale = Math.min(1, LONGEST / Math.max(width, height));
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    this.canvas = canvas;
    this.colour = colour;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.past = [];
    this.touched = false;
  }

  get side() { return Math.max(this.canvas.width, this.canvas.height); }

  pixels() { return this.context.getImageData(0, 0, this.canvas.width, this.canvas.height); }

  /** Remember the mask, so that what comes next can be undone. */
  mark() {
    this.past.push({ pixels: this.pixels(), touched: this.touched });
    if (this.past.length > MOST_UNDO) this.past.shift();
    this.touched = true;
  }

  undo() {
    const before = this.past.pop();
    if (!before) return false;
    this.context.putImageData(before.pixels, 0, 0);
    this.touched = before.touched;
    return true;
  }

  /** Draw or erase a line between two points, in pixels of the canvas. */
  line([x0, y0], [x1, y1], width, erase) {
    const { context } = this;
    context.save();
    context.globalCompositeOperation = erase ? "destination-out" : "source-over";
    context.strokeStyle = context.fillStyle = this.colour;
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1 + 0.01, y1);
    context.stroke();
    context.restore();
  }

  /** Fill or erase a rectangle, given as shares of the picture. */
  rectangle({ left, top, width, height }, erase) {
    this.mark();
    const { width: w, height: h } = this.canvas;
    const box = [Math.round(left * w), Math.round(top * h), Math.round(width * w), Math.round(height * h)];
    if (erase) return this.context.clearRect(...box);
    this.context.fillStyle = this.colour;
    return this.context.fillRect(...box);
  }

  clear() {
    this.mark();
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  /** Change the coverage by a function of the whole array. */
  change(work) {
    this.mark();
    const { width, height } = this.canvas;
    const pixels = this.pixels();
    const coverage = new Float32Array(width * height);
    for (let i = 0; i < coverage.length; i += 1) coverage[i] = pixels.data[4 * i + 3];
    this.put(work(coverage, width, height));
  }

  put(coverage) {
    const { width, height } = this.canvas;
    const pixels = this.context.createImageData(width, height);
    const [r, g, b] = this.colour.match(/\d+/g).map(Number);
    for (let i = 0; i < coverage.length; i += 1) pixels.data.set([r, g, b, Math.round(coverage[i])], 4 * i);
    this.context.putImageData(pixels, 0, 0);
  }

  invert() { this.change((coverage) => coverage.map((each) => 255 - each)); }

  soften() {
    const radius = Math.max(1, Math.round(SOFT * this.side));
    this.change((coverage, width, height) => blur(blur(coverage, width, height, radius), width, height, radius));
  }

  get empty() { return this.pixels().data.every((each, i) => i % 4 !== 3 || each === 0); }

  /** Take a picture as the mask: white is covered, black is not. */
  async load(blob) {
    const bitmap = await createImageBitmap(blob);
    this.mark();
    const { width, height } = this.canvas;
    this.context.globalCompositeOperation = "copy";
    this.context.drawImage(bitmap, 0, 0, width, height);
    this.context.globalCompositeOperation = "source-over";
    const { data } = this.pixels();
    const grey = (i) => (0.2126 * data[i] + 0.7152 * data[i + 1] + 0.0722 * data[i + 2]) * (data[i + 3] / 255);
    this.put(Float32Array.from({ length: width * height }, (_, i) => grey(4 * i)));
  }

  /** The mask as a grey PNG of 8 bits a channel. */
  png() {
    const { width, height } = this.canvas;
    const plain = new OffscreenCanvas(width, height);
    const pixels = this.pixels();
    for (let i = 0; i < pixels.data.length; i += 4) {
      const level = pixels.data[i + 3];
      pixels.data.set([level, level, level, 255], i);
    }
    plain.getContext("2d").putImageData(pixels, 0, 0);
    return plain.convertToBlob({ type: "image/png" });
  }
}

/** A box blur in both directions; the border's values go on beyond it. */
function blur(values, width, height, radius) {
  const across = lines(values, width, height, 1, width, radius);
  return lines(across, height, width, width, 1, radius);
}

function lines(values, length, count, step, next, radius) {
  const out = new Float32Array(values.length);
  const share = 1 / (2 * radius + 1);
  for (let line = 0; line < count; line += 1) {
    const at = (i) => values[line * next + Math.min(length - 1, Math.max(0, i)) * step];
    let sum = 0;
    for (let i = -radius; i <= radius; i += 1) sum += at(i);
    for (let i = 0; i < length; i += 1) {
      out[line * next + i * step] = sum * share;
      sum += at(i + radius + 1) - at(i - radius);
    }
  }
  return out;
}
