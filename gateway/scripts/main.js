// Every page works without these; each module makes one thing nicer. Order matters for what listens to `submit`.
import "./confirm.js";
import "./forms.js";
import "./keep.js";
import "./amount.js";
import "./preview.js";
import "./upload.js";
import "./live.js";
import "./auto.js";
import "./menu.js";
import "./tabs.js";
import "./copy.js";
import "./reveal.js";
import "./acting.js";
