/** The page, the exported file and the notebook begin here. */
import { render } from "preact";

import "./style.css";

const place = document.getElementById("studio");
if (place) render(<main>studio</main>, place);
