// Draws every section.

for (const swatch of document.querySelectorAll(".swatch[data-group]")) swatch.append(sign(Number(swatch.dataset.group)));
drawPairs(document.getElementById("pairs"));
drawCertainty(document.getElementById("certainty"));
drawProfile(document.getElementById("profile"));
drawChoice(document.getElementById("choice"));
drawIterations(document.getElementById("iterations"));
