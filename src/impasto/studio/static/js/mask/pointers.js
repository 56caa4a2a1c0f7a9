// Mouse, finger and pen on the mask: one draws, two fingers pan and zoom, a palm is ignored once a pen was seen.

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("../panzoom.js").PanZoom} panzoom
 * @param {{begin(point): void, draw(point): void, end(): void, cancel(): void, hover(event): void}} stroke
 *     points are pixels of the canvas
 */
export function startPointers(canvas, panzoom, stroke) {
  const down = new Map(); // pointer id -> event
  let drawing = null; // id of the pointer that draws
  let penSeen = false;

  const point = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    return [((clientX - box.left) / box.width) * canvas.width, ((clientY - box.top) / box.height) * canvas.height];
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    event.preventDefault();
    penSeen ||= event.pointerType === "pen";
    try { canvas.setPointerCapture(event.pointerId); } catch { /* a pointer made by a script can't be captured */ }
    down.set(event.pointerId, event);
    if (down.size > 1) {
      if (drawing !== null) stroke.cancel();
      drawing = null;
      return;
    }
    if (penSeen && event.pointerType === "touch") return;
    drawing = event.pointerId;
    stroke.begin(point(event));
  });

  canvas.addEventListener("pointermove", (event) => {
    stroke.hover(event);
    if (!down.has(event.pointerId)) return;
    if (event.pointerId === drawing) {
      const all = event.getCoalescedEvents?.() ?? [];
      for (const each of all.length ? all : [event]) stroke.draw(point(each));
    } else if (down.size === 2) pinch(event);
    down.set(event.pointerId, event);
  });

  const up = (event) => {
    down.delete(event.pointerId);
    if (event.pointerId !== drawing) return;
    drawing = null;
    if (event.type === "pointercancel") stroke.cancel();
    else stroke.end();
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", (event) => { if (!down.size) stroke.hover(event, true); });

  function pinch(event) {
    const [a, b] = [...down.values()];
    const other = a.pointerId === event.pointerId ? b : a;
    const before = down.get(event.pointerId);
    const far = (one, two) => Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY) || 1;
    const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
    panzoom.zoom(far(event, other) / far(before, other), ...panzoom.point(middle, canvas));
    panzoom.move((event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2);
  }
}
