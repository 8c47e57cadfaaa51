// Every visible text whose contrast with what stands behind it is below arguments[0].
const least = arguments[0];
const channels = (colour) => {
  const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
  const whole = colour.startsWith("color(srgb") ? 255 : 1; // what color-mix() comes to is in shares
  return { rgb: [r * whole, g * whole, b * whole], a };
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const { rgb, a } = channels(getComputedStyle(at).backgroundColor);
    if (a === 1) return rgb;
  }
  return [255, 255, 255];
};
const luminance = (rgb) => {
  const [r, g, b] = rgb
    .map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const faint = [];
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
  const [dark, light] = [luminance(channels(getComputedStyle(element).color).rgb), luminance(behind(element))].sort(
    (a, b) => a - b,
  );
  const contrast = (light + 0.05) / (dark + 0.05);
  if (contrast < least) faint.push(`${contrast.toFixed(2)} ${element.className} ${texts.currentNode.data.trim().slice(0, 40)}`);
}
return faint;
