package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/atotto/clipboard"

	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/platform"
)

// deeds are what the menu offers, each of which may take its time and says what a
// person cannot see by itself.
type deeds struct {
	askPIN                                         func(ctx context.Context, text, problem string, within time.Duration) ([]byte, error)
	openPage, copyReport, saveBundle, startService func(ctx context.Context) (said string, err error)
}

// inEarnest are the deeds as they are done.
func inEarnest(cl *client.Client, s settings) deeds {
	return deeds{
		askPIN: func(ctx context.Context, text, problem string, within time.Duration) ([]byte, error) {
			return platform.AskPIN(ctx, platform.PINDialog{Title: "authbridge", Text: text, Error: problem, Within: within})
		},
		openPage: func(ctx context.Context) (string, error) {
			page, err := cl.OpenPage(ctx)
			if err != nil {
				return "", err
			}
			return "", cl.ShowPage(ctx, page)
		},
		copyReport: func(ctx context.Context) (string, error) {
			return "Paste it into a ticket or a chat. No names of people are in it.", clipReport(ctx, cl, s.questions())
		},
		saveBundle: func(ctx context.Context) (string, error) {
			home, err := os.UserHomeDir()
			if err != nil {
				return "", err
			}
			file, err := writeBundle(ctx, beside(os.Executable), s.stateDir, bundleFolder(home), time.Now())
			return file + ". No PIN, token or secret is in it, no holder's name, and of a UUID its last three digits. Look it through before you send it.", err
		},
		startService: func(ctx context.Context) (string, error) { return "", startDaemon(ctx, beside(os.Executable)) },
	}
}

func clipReport(ctx context.Context, cl *client.Client, questions []contract.Question) error {
	s, err := cl.Status(ctx)
	if err != nil {
		return err
	}
	var verdicts []contract.Verdict
	for _, q := range questions {
		v, err := cl.Ready(ctx, q, 0)
		if err != nil {
			return err
		}
		verdicts = append(verdicts, v)
	}
	return clipboard.WriteAll(report(s, verdicts, time.Now()))
}

// beside is the daemon's program, which every package puts beside this one.
func beside(executable func() (string, error)) string {
	const name = "authbridge"
	program, err := executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(program), name+filepath.Ext(program)) // .exe
}

// bundleTime bounds what gathers a bundle: it asks the system a good deal.
const bundleTime = 2 * time.Minute

// writeBundle has the command line write a support bundle, so that there is one of
// them: without a daemon too, and with what is seen from this session.
func writeBundle(ctx context.Context, program, stateDir, folder string, now time.Time) (file string, err error) {
	ctx, cancel := context.WithTimeout(ctx, bundleTime)
	defer cancel()
	file = filepath.Join(folder, "authbridge-bundle-"+now.Format("20060102-150405")+".zip")
	args := []string{"bundle", "--output", file}
	if stateDir != "" {
		args = append(args, "--state-dir", stateDir)
	}
	_, err = platform.Command(ctx, program, args...).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = errors.New(cmp.Or(strings.TrimSpace(string(failed.Stderr)), err.Error()))
	}
	return file, err
}

// bundleFolder is where people look for what was saved.
func bundleFolder(home string) string {
	downloads := filepath.Join(home, "Downloads")
	if info, err := os.Stat(downloads); err == nil && info.IsDir() {
		return downloads
	}
	return home
}
