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
		got, err := User{TOTPFile: file}.readTOTP()()
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error tells what is in the file: %v", err)
		}
	}
}

// TestTheMockKnowsTheAppsOfTheConfiguration: it reads the secret when a code is to
// be checked, and not before.
func TestTheMockKnowsTheAppsOfTheConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "totp")
	config, err := mockOrder{state: t.TempDir(), known: []User{
		{Name: "ada", UUID: map[string]string{"mock": "656005750108", "int": "555250000001"}, AAL: 3, TOTPFile: file},
		{Name: "ben", UUID: map[string]string{"mock": "656005750105"}, AAL: 3},
	}}.config()
	if err != nil {
		t.Fatal(err)
	}
	ada, ben := config.Users[len(config.Users)-2], config.Users[len(config.Users)-1]
	if ada.UUID != "656005750108" || ada.TOTP == nil || ben.TOTP != nil {
		t.Fatalf("%+v, %+v", ada.User, ben.User)
	}
	if _, err := ada.TOTP(); err == nil {
		t.Error("there is no file yet")
	}
	if err := os.WriteFile(file, []byte("JBSWY3DPEHPK3PXP\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ada.TOTP(); err != nil || string(got) != "JBSWY3DPEHPK3PXP" {
		t.Errorf("%q, %v", got, err)
	}
}
