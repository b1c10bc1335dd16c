// Blurred previews, from some 25 bytes each: a reader of the ThumbHash format
// (evanw.github.io/thumbhash): a discrete cosine transform of luminance and two opponent colours,
// in nibbles. Pictures of this API have no alpha.

const LONGEST = 32;
const [HEADER, LONG] = [5, 7];

/** Paint a preview (base64) onto a canvas, which takes on its size; one that is broken paints nothing. */
export function paint(canvas, hash) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(hash), (letter) => letter.charCodeAt(0));
  } catch {
    return;
  }
  if (bytes.length < HEADER) return;
  const image = decode(bytes);
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function decode(bytes) {
  const head = bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);
  const tail = bytes[3] | (bytes[4] << 8);
  const isLandscape = Boolean(tail >> 15);
  const short = tail & 7;
  const [across, down] = isLandscape ? [LONG, short] : [short, LONG];

  const nibbles = nibblesOf(bytes.subarray(HEADER));
  const luminance = channel(nibbles, {
    constant: (head & 63) / 63,
    scale: ((head >> 18) & 31) / 31,
    across: Math.max(3, across),
    down: Math.max(3, down),
  });
  // Quantization costs saturation, which 1.25 makes up for.
  const yellowBlue = channel(nibbles, {
    constant: ((head >> 6) & 63) / 31.5 - 1, scale: (((tail >> 3) & 63) / 63) * 1.25, across: 3, down: 3,
  });
  const redGreen = channel(nibbles, {
    constant: ((head >> 12) & 63) / 31.5 - 1, scale: (((tail >> 9) & 63) / 63) * 1.25, across: 3, down: 3,
  });

  const ratio = across / down || 1;
  const width = Math.max(1, Math.round(ratio > 1 ? LONGEST : LONGEST * ratio));
  const height = Math.max(1, Math.round(ratio > 1 ? LONGEST / ratio : LONGEST));
  const [columns, lines] = [waves(width), waves(height)];
  const image = new ImageData(width, height);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 4) {
      const [l, p, q] = [luminance, yellowBlue, redGreen].map((of) => valueAt(of, columns[x], lines[y]));
      const blue = l - (2 / 3) * p;
      const red = (3 * l - blue + q) / 2;
      image.data.set([255 * red, 255 * (red - q), 255 * blue, 255], at);
    }
  }
  return image;
}

/** Yield 4 bits at a time, the lower ones of each byte first. */
function* nibblesOf(bytes) {
  for (const byte of bytes) {
    yield byte & 15;
    yield byte >> 4;
  }
}

/** Read a channel: a triangle of waves across and down, each with its share, around a constant. */
function channel(nibbles, { constant, scale, across, down }) {
  const terms = [];
  for (let cy = 0; cy < down; cy += 1) {
    for (let cx = cy ? 0 : 1; cx * down < across * (down - cy); cx += 1) {
      terms.push([cx, cy, ((nibbles.next().value ?? 7.5) / 7.5 - 1) * scale]);
    }
  }
  return { constant, terms };
}

/** Return cos(π/size (n + ½) k) by n and k. */
const waves = (size) =>
  Array.from({ length: size }, (_, n) =>
    Array.from({ length: 8 }, (_, k) => Math.cos((Math.PI / size) * (n + 0.5) * k)));

const valueAt = ({ constant, terms }, column, line) =>
  terms.reduce((sum, [cx, cy, share]) => sum + 2 * share * column[cx] * line[cy], constant);
