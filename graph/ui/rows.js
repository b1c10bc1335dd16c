// Justified rows: as many pictures side by side as fill the width at about one height.

const [NARROWEST, WIDEST] = [0.5, 2.6];

/** Return the shape of a picture's tile, width by height; very long ones are cropped. */
export const shapeOf = ({ width, height }) =>
  Math.min(WIDEST, Math.max(NARROWEST, width && height ? width / height : 1));

/**
 * Part shapes into rows of `width` pixels, each near `height` high, with gaps between.
 *
 * Returns the size of each tile, {width, height} in whole pixels, of all full rows, and of the last
 * one where it is `ended`: what comes later never moves what stands already.
 */
export function rows(shapes, { width, height, gap, ended }) {
  const sizes = [];
  let start = 0;
  let sum = 0;
  for (let n = 0; n < shapes.length; n += 1) {
    sum += shapes[n];
    const count = n - start + 1;
    const full = (width - gap * (count - 1)) / sum;
    if (full > height) continue;
    // With the last one left out the row would be higher: take what is nearer to the height.
    const before = (width - gap * (count - 2)) / (sum - shapes[n]);
    const leaveOut = count > 1 && before / height < height / full;
    const end = leaveOut ? n : n + 1;
    sizes.push(...filled(shapes.slice(start, end), width, leaveOut ? before : full, gap));
    start = end;
    sum = leaveOut ? shapes[n] : 0;
  }
  if (ended && start < shapes.length) {
    const left = shapes.slice(start);
    const room = (width - gap * (left.length - 1)) / left.reduce((a, b) => a + b, 0);
    const high = Math.floor(Math.min(height, room));
    sizes.push(...left.map((shape) => ({ width: Math.min(width, Math.floor(shape * high)), height: high })));
  }
  return sizes;
}

/** Return whole widths that fill the row to the pixel. */
function filled(shapes, width, high, gap) {
  const room = width - gap * (shapes.length - 1);
  const sum = shapes.reduce((a, b) => a + b, 0);
  let edge = 0;
  let reached = 0;
  return shapes.map((shape) => {
    edge += (shape / sum) * room;
    const whole = Math.round(edge) - reached;
    reached += whole;
    return { width: whole, height: Math.round(high) };
  });
}
