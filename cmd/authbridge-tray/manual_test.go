package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTheManualKnowsEachFlag: the page of the packages is written by hand.
func TestTheManualKnowsEachFlag(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../installer/linux/authbridge-tray.1")
	if err != nil {
		t.Fatal(err)
	}
	var help bytes.Buffer
	if _, err := parse([]string{"-h"}, &help); err == nil {
		t.Fatal("no help")
	}
	flags := regexp.MustCompile(`(?m)^  -(\S+)`).FindAllStringSubmatch(help.String(), -1)
	if len(flags) == 0 {
		t.Fatalf("no flags:\n%s", help.String())
	}
	for _, flag := range flags {
		if name := `\-\-` + strings.ReplaceAll(flag[1], "-", `\-`); !strings.Contains(string(page), name) {
			t.Errorf("the page does not know --%s", flag[1])
		}
	}
}
