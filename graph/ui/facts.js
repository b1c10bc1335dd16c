// What is known about a picture, as people say it.

import { bytes, h } from "./dom.js";

const DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short" });
const KINDS = { jpeg: "JPEG", png: "PNG", webp: "WebP", gif: "GIF", tiff: "TIFF", bmp: "BMP", avif: "AVIF", heic: "HEIC" };

const when = (moment) => h("time", { datetime: moment }, DAY.format(new Date(moment)));

/** Return [name, value] pairs of what is there. */
export function facts(node) {
  const { exif } = node;
  const camera = [exif?.cameraMake, exif?.cameraModel].filter(Boolean);
  // Many makers repeat their name in the model's.
  if (camera.length === 2 && camera[1].toLowerCase().startsWith(camera[0].toLowerCase())) camera.shift();
  return [
    exif?.takenAt && ["Taken", when(exif.takenAt)],
    camera.length && ["Camera", camera.join(" ")],
    exif?.lens && ["Lens", exif.lens],
    exif && exposure(exif) && ["Exposure", exposure(exif)],
    exif?.location && ["Place", `${exif.location.latitude.toFixed(4)}, ${exif.location.longitude.toFixed(4)}`],
    node.width && ["Size", `${node.width} × ${node.height}`],
    ["File", `${KINDS[node.contentType.split("/")[1]] ?? node.contentType}, ${bytes(node.byteSize)}`],
    ["Added", when(node.createdAt)],
  ].filter(Boolean);
}

/** Return how it was exposed: “1/250 s · f/8 · ISO 100 · 35 mm”. */
function exposure({ exposureSeconds, fNumber, iso, focalLengthMm }) {
  const short = exposureSeconds && exposureSeconds < 0.4;
  return [
    exposureSeconds && `${short ? `1/${Math.round(1 / exposureSeconds)}` : Number(exposureSeconds.toFixed(1))} s`,
    fNumber && `f/${Number(fNumber.toFixed(1))}`,
    iso && `ISO ${iso}`,
    focalLengthMm && `${Number(focalLengthMm.toFixed(1))} mm`,
  ].filter(Boolean).join(" · ");
}
