// The way in, in the language that was chosen on the page before.
import { loadWords } from "./words.js";

loadWords();
