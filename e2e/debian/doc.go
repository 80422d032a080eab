// Package debian builds what tests need of a Debian of their own, and keeps it: one
// folder for each version of a recipe.
//
// A recipe's build.sh runs as root with the folder to fill. Beside it lies
// debian.sh, which installs a system from the sources that this machine has; no
// mirror is named. Its standard output is the progress that a person sees.
package debian
