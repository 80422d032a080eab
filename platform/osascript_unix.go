//go:build unix

package platform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
	"unicode/utf16"
)

// The dialogs and notifications of macOS, by its own osascript(1) and in its
// JavaScript, whose literals can be written in ASCII: Standard Additions, "display
// dialog" and "display notification". It compiles wherever programs are run in the
// same way, so that it is tested there.

// desktopTime bounds a call to the desktop: one that hangs is none.
const desktopTime = 2 * time.Second

// dialogScript asks for a PIN. What it says is an answer that readAnswer knows.
func dialogScript(d PINDialog) string {
	text := d.Text
	if d.Error != "" {
		text = d.Error + "\n\n" + text
	}
	within := ""
	if seconds := int(d.Within / time.Second); seconds > 0 {
		within = fmt.Sprintf(", givingUpAfter: %d", seconds)
	}
	return `var app = Application.currentApplication();
app.includeStandardAdditions = true;
var answer = app.displayDialog(` + quoteScript(text) + `, {withTitle: ` + quoteScript(d.Title) + `, defaultAnswer: "", hiddenAnswer: true, ` +
		`buttons: ["Cancel", "OK"], defaultButton: "OK", cancelButton: "Cancel"` + within + `});
answer.gaveUp ? "` + answerLate + `" : "` + answerPIN + `" + answer.textReturned;
`
}

// noticeScript shows a notification.
func noticeScript(title, text string) string {
	return `var app = Application.currentApplication();
app.includeStandardAdditions = true;
app.displayNotification(` + quoteScript(text) + `, {withTitle: ` + quoteScript(title) + `});
`
}

// quoteScript writes a text as a literal of JavaScript. Whatever is no letter,
// digit or harmless sign is a number in it, so nothing ends it early.
func quoteScript(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, unit := range utf16.Encode([]rune(plain(text))) {
		if unit >= ' ' && unit <= '~' && unit != '"' && unit != '\\' {
			b.WriteByte(byte(unit))
		} else {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// What the script of a dialog answers: the PIN behind a word, so that no PIN is
// taken for something else.
const (
	answerPIN     = "PIN "
	answerLate    = "late"
	longestAnswer = len(answerPIN) + longestPIN + len("\n")
	// userCancelled is what the system says where the button for it was chosen.
	userCancelled = "(-128)"
)

func askByScript(ctx context.Context, d PINDialog) (pin []byte, err error) {
	said, err := runScript(ctx, dialogScript(d), func(out io.Reader) (err error) {
		pin, err = readAnswer(out, make([]byte, longestAnswer+1))
		return err
	})
	if err != nil {
		clear(pin)
		pin = nil
	}
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case strings.Contains(said, userCancelled):
		err = ErrPINDeclined
	}
	return pin, err
}

// notify shows a notification, which nobody hears of again.
func notify(ctx context.Context, title, text string) error {
	_, err := runScript(ctx, noticeScript(title, text), func(out io.Reader) error {
		_, err := io.Copy(io.Discard, out)
		return err
	})
	return err
}

// runScript has a script run, which is told by a pipe, for all users can read
// what a program is started with. read has what it answers; said is what it says
// of itself, as where it fails.
func runScript(ctx context.Context, script string, read func(io.Reader) error) (said string, err error) {
	program, err := exec.LookPath("osascript")
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoPINDialog, err)
	}
	running, end := context.WithCancel(ctx)
	defer end()
	cmd := exec.CommandContext(running, program, "-l", "JavaScript")
	cmd.WaitDelay = desktopTime
	cmd.Stdin = strings.NewReader(script)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoPINDialog, err)
	}
	wrong := read(out)
	if wrong != nil && !errors.Is(wrong, errNoAnswer) {
		end()
		_ = cmd.Wait()
		return "", wrong
	}
	if err := cmd.Wait(); err != nil { // and then it says why
		return complaint.String(), fmt.Errorf("osascript: %w: %s", err, plain(strings.TrimSpace(complaint.String())))
	}
	return "", wrong
}

var errNoAnswer = errors.New("osascript answers nothing")

// readAnswer has the answer of a dialog's script, by a buffer which it wipes: one
// that has more room than the longest answer.
func readAnswer(out io.Reader, buffer []byte) ([]byte, error) {
	defer clear(buffer)
	n, err := io.ReadFull(out, buffer)
	switch {
	case err == nil:
		return nil, errors.New("the PIN is too long")
	case n == 0 && errors.Is(err, io.EOF):
		return nil, errNoAnswer
	case !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, err
	}
	answer := bytes.TrimSuffix(buffer[:n], []byte("\n"))
	if string(answer) == answerLate {
		return nil, ErrPINTimedOut
	}
	pin, ok := bytes.CutPrefix(answer, []byte(answerPIN))
	switch {
	case !ok:
		return nil, errors.New("osascript answers what no dialog does")
	case len(pin) > longestPIN:
		return nil, errors.New("the PIN is too long")
	}
	return bytes.Clone(pin), nil
}
