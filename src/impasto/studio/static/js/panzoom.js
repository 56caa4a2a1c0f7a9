// Pan and zoom of one or several elements together.
import { clamp } from "./dom.js";

const MOST = 12;

export class PanZoom {
  /** @param {() => HTMLElement[]} targets elements that move together */
  constructor(targets, changed = () => {}) {
    this.targets = targets;
    this.changed = changed;
    this.reset();
  }

  reset() {
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.apply();
  }

  apply() {
    for (const target of this.targets()) {
      target.style.transform = this.scale === 1 ? "" : `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    }
    this.changed(this.scale);
  }

  /** Zoom about a point, given in pixels from the untransformed corner of the target. */
  zoom(factor, x, y) {
    const scale = clamp(this.scale * factor, 1, MOST);
    const ratio = scale / this.scale;
    this.x = scale === 1 ? 0 : x - (x - this.x) * ratio;
    this.y = scale === 1 ? 0 : y - (y - this.y) * ratio;
    this.scale = scale;
    this.bound();
    this.apply();
  }

  move(dx, dy) {
    if (this.scale === 1) return;
    this.x += dx;
    this.y += dy;
    this.bound();
    this.apply();
  }

  /** Keep the picture in sight. */
  bound() {
    const [target] = this.targets();
    if (!target) return;
    this.x = clamp(this.x, target.offsetWidth * (1 - this.scale), 0);
    this.y = clamp(this.y, target.offsetHeight * (1 - this.scale), 0);
  }

  /** The point of an event from the untransformed corner of an element. */
  point(event, target) {
    const box = target.getBoundingClientRect();
    return [event.clientX - box.left + (this.scale === 1 ? 0 : this.x), event.clientY - box.top + (this.scale === 1 ? 0 : this.y)];
  }
}

/** Wheel, double click and drag with the mouse on an area; a finger scrolls the page instead. */
export function mouseZoom(area, panzoom, targetAt, allowed = () => true) {
  area.addEventListener("wheel", (event) => {
    if (!allowed()) return;
    event.preventDefault();
    panzoom.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), ...panzoom.point(event, targetAt(event)));
  }, { passive: false });
  area.addEventListener("dblclick", (event) => {
    if (!allowed()) return;
    if (panzoom.scale > 1) panzoom.reset();
    else panzoom.zoom(2.5, ...panzoom.point(event, targetAt(event)));
  });
  area.addEventListener("pointerdown", (event) => {
    if (!allowed() || event.pointerType === "touch" || panzoom.scale === 1 || event.target.closest("select, button, input")) return;
    event.preventDefault();
    area.setPointerCapture(event.pointerId);
    const move = (other) => panzoom.move(other.movementX, other.movementY);
    area.addEventListener("pointermove", move);
    const end = () => area.removeEventListener("pointermove", move);
    area.addEventListener("pointerup", end, { once: true });
    area.addEventListener("pointercancel", end, { once: true });
  });
}
