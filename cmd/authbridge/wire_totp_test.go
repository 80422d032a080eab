package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheSecretOfAnAuthenticatorAppIsReadAsItIsShown(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"JBSWY3DPEHPK3PXP":         "JBSWY3DPEHPK3PXP",
		"jbsw y3dp ehpk 3pxp\n":    "JBSWY3DPEHPK3PXP",
		"JBSWY3DPEHPK3PX=\r\n":     "JBSWY3DPEHPK3PX",
		"hunter2 is no secret 189": "",
		"":                         "",
		" = ":                      "",
	} {
		file := filepath.Join(dir, "totp")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		users := []User{{UUID: map[string]string{"int": "555250000001"}, TOTPFile: file}, {UUID: map[string]string{"mock": "656005750108"}}}
		got, err := totpOf(users)("int", "555250000001")
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error tells what is in the file: %v", err)
		}
		for _, of := range [][2]string{{"mock", "555250000001"}, {"mock", "656005750108"}} {
			if got, err := totpOf(users)(of[0], of[1]); err == nil {
				t.Errorf("%v has %q", of, got)
			}
		}
	}
}
