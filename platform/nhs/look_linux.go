package nhs

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

const onWindows = false

// policyFolders are where the packages of the browsers look for an
// administrator's rules.
var policyFolders = []struct{ browser, folder string }{
	{"Chrome", "/etc/opt/chrome/policies/managed"},
	{"Chromium", "/etc/chromium/policies/managed"},
	{"Edge", "/etc/opt/edge/policies/managed"},
}

func look() Facts {
	f := elsewhere()
	f.Policies = linuxPolicies("/")
	return f
}

// linuxPolicies reads the folders below a root. What is not there has no rules.
func linuxPolicies(root string) Seen[[]Policy] {
	all := []Policy{}
	for _, p := range policyFolders {
		together := rules{}
		files, err := filepath.Glob(filepath.Join(root, p.folder, "*.json"))
		if err != nil {
			return unknown[[]Policy](errorText(err))
		}
		slices.Sort(files) // a later file wins, as in the browser
		for _, file := range files[:min(len(files), 100)] {
			r, err := readRulesFile(file)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				continue
			case err != nil:
				return unknown[[]Policy]("rules of " + p.browser + ": " + errorText(err))
			}
			maps.Copy(together, r)
		}
		all = append(all, policiesOf(p.browser, together)...)
	}
	return known(sortedPolicies(all))
}

// mostRules bounds a file of rules, in octets.
const mostRules = 1 << 20

func readRulesFile(file string) (rules, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe is not waited for
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errNoPolicy
	}
	text, err := io.ReadAll(io.LimitReader(f, mostRules))
	if err != nil {
		return nil, err
	}
	return readRules(text)
}
