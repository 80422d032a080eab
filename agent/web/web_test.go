package web

import (
	"regexp"
	"strings"
	"testing"
)

// TestThePageFitsItsPolicy: what the policy forbids would be dead text, or a
// reason to loosen it.
func TestThePageFitsItsPolicy(t *testing.T) {
	t.Parallel()
	forbidden := map[string]*regexp.Regexp{
		"an inline script":        regexp.MustCompile(`(?i)<script(>|[^>]*[^"]>[^<])`),
		"an inline handler":       regexp.MustCompile(`(?i)\son[a-z]+\s*=\s*["']`),
		"an inline style":         regexp.MustCompile(`(?i)<style|\sstyle\s*=`),
		"text made into markup":   regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment`),
		"text made into code":     regexp.MustCompile(`\beval\(|new Function|setTimeout\(['"]`),
		"something from the net":  regexp.MustCompile(`(?i)(src|href|url\(|from|import\()\s*=?\s*["'(]?(https?:)?//`),
		"a cookie":                regexp.MustCompile(`document\.cookie`),
		"what outlives the tab":   regexp.MustCompile(`localStorage|indexedDB|serviceWorker|caches\.`),
		"a channel to other tabs": regexp.MustCompile(`BroadcastChannel|postMessage|window\.opener`),
	}
	for name, file := range files {
		for what, is := range forbidden {
			if found := is.FindString(string(file.Body)); found != "" {
				t.Errorf("%s has %s: %q", name, what, found)
			}
		}
	}
}

var asked = regexp.MustCompile(`(?:href="|src="|from ')([^"'#]*)`)

// TestAllThatThePageAsksForIsThere follows addresses and imports.
func TestAllThatThePageAsksForIsThere(t *testing.T) {
	t.Parallel()
	if _, ok := Find("/"); !ok {
		t.Fatal("there is no page")
	}
	for name, file := range files {
		for _, match := range asked.FindAllStringSubmatch(string(file.Body), -1) {
			to := match[1]
			if to == "" {
				continue
			}
			if strings.HasPrefix(to, ".") {
				to = join(name, to)
			}
			if _, ok := Find(to); !ok {
				t.Errorf("%s asks for %s", name, to)
			}
		}
	}
	for _, state := range []string{"ready", "attention", "not_ready", "off"} {
		if _, ok := Find("/assets/pic/" + state + ".svg"); !ok {
			t.Errorf("there is no icon for %s", state)
		}
	}
}

func join(from, to string) string {
	dir := from[:strings.LastIndexByte(from, '/')+1]
	for strings.HasPrefix(to, "../") {
		to = to[3:]
		dir = dir[:strings.LastIndexByte(strings.TrimSuffix(dir, "/"), '/')+1]
	}
	return dir + strings.TrimPrefix(to, "./")
}

func TestNothingElseIsThere(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/index.html", "/assets", "/assets/", "/assets/../web.go", "/assets/index.html", "//", "/assets/page.js/", "/assets//page.js"} {
		if _, ok := Find(path); ok {
			t.Errorf("%q is there", path)
		}
	}
}
