package main

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
)

// comeByFile stands in for the desktop and its browser: it is called as
// xdg-open is, follows the file as a browser does, and swaps the code as the
// page does. What it was given it writes down for the story.
func comeByFile() {
	if err := come(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var refresh = regexp.MustCompile(`content="0; url=(http://127\.0\.0\.1:\d+/)#code=(\w[\w-]*)"`)

func come(args []string) error {
	if os.Getenv("XDG_OPEN") == "fails" {
		return fmt.Errorf("no browser is installed")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	info, err := os.Stat(args[0])
	if err != nil {
		return err
	}
	found := refresh.FindStringSubmatch(string(text))
	seen := fmt.Sprintf("argv %s\nmode %04o\n%s", strings.Join(args, " "), info.Mode().Perm(), text)
	if err := os.WriteFile(os.Getenv("HOME")+"/seen", []byte(seen), 0o600); err != nil || found == nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, found[1]+"v1/pages/session", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+found[2])
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusCreated {
		return fmt.Errorf("the daemon says %s", answer.Status)
	}
	return nil
}
