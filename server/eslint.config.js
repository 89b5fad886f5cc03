// What holds for the JavaScript of this repository: the page, its tests, and the test peers. dev/page runs it, from the top.

import js from "@eslint/js";
import globals from "globals";

/** Names and reasons come from other machines: they must never be read as markup or as code. */
const NO_MARKUP = ["innerHTML", "outerHTML", "insertAdjacentHTML", "srcdoc"].map((property) => ({
  selector: `MemberExpression[property.name="${property}"]`,
  message: "What comes from elsewhere reaches the page as textContent and attributes only.",
}));

const RULES = {
  "array-callback-return": "error",
  "curly": ["error", "multi-line"],
  "default-case-last": "error",
  "dot-notation": "error",
  "eqeqeq": "error",
  "no-constructor-return": "error",
  "no-eval": "error",
  "no-extend-native": "error",
  "no-implied-eval": "error",
  "no-lonely-if": "error",
  "no-new-func": "error",
  "no-new-wrappers": "error",
  "no-param-reassign": "error",
  "no-return-assign": ["error", "except-parens"],
  "no-self-compare": "error",
  "no-sequences": "error",
  "no-shadow": "error",
  "no-template-curly-in-string": "error",
  "no-throw-literal": "error",
  "no-unmodified-loop-condition": "error",
  "no-unreachable-loop": "error",
  "no-unused-expressions": ["error", { allowShortCircuit: true }],
  "no-unused-private-class-members": "error",
  "no-unused-vars": "error",
  "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
  "no-useless-call": "error",
  "no-useless-concat": "error",
  "no-useless-rename": "error",
  "no-useless-return": "error",
  "no-var": "error",
  "object-shorthand": "error",
  "prefer-arrow-callback": "error",
  "prefer-const": "error",
  "prefer-object-spread": "error",
  "prefer-promise-reject-errors": "error",
  "prefer-rest-params": "error",
  "prefer-spread": "error",
  "prefer-template": "error",
  "radix": "error",
  "symbol-description": "error",
  "yoda": "error",
};

export default [
  { linterOptions: { reportUnusedDisableDirectives: "error", reportUnusedInlineConfigs: "error" } },
  js.configs.recommended,
  { files: ["**/*.js", "**/*.mjs"], languageOptions: { ecmaVersion: 2022, sourceType: "module" }, rules: RULES },
  {
    files: ["server/web/**"],
    languageOptions: { globals: globals.browser },
    rules: { "no-console": ["error", { allow: ["warn"] }], "no-restricted-syntax": ["error", ...NO_MARKUP] },
  },
  {
    // These think, and leave the screen to others.
    files: ["backoff", "channel", "eyes", "pace", "session", "signaling", "stats", "words"].map((name) => `server/web/${name}.js`),
    languageOptions: { globals: { document: "off", window: "off" } },
  },
  { files: ["server/*.js", "server/tests/**"], languageOptions: { globals: globals.nodeBuiltin } },
  // Functions of theirs run in the page.
  { files: ["tests/peers/**"], languageOptions: { globals: { ...globals.nodeBuiltin, ...globals.browser } } },
];
