//go:build unix

package platform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// playOsascript puts an osascript on the path that runs what it is told in Node,
// with a Standard Additions of the test's: answer is the body of displayDialog,
// which has the text and the parameters. It writes down its arguments and calls.
func playOsascript(t *testing.T, answer string) (told string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node here, which plays osascript: install the package nodejs")
	}
	dir := t.TempDir()
	told = filepath.Join(dir, "told")
	program := "#!" + node + `
const fs = require('node:fs');
const script = fs.readFileSync(0, 'utf8');
const note = (o) => fs.appendFileSync(` + "'" + told + "'" + `, JSON.stringify({args: process.argv.slice(2), ...o}) + '\n');
global.Application = {currentApplication: () => ({
  displayDialog(text, p) { note({text, ...p}); ` + answer + ` },
  displayNotification(text, p) { note({text, ...p}); },
})};
try {
  console.log((0, eval)(script));
} catch (e) {
  console.error('execution error: Error: ' + e);
  process.exitCode = 1;
}
`
	if err := os.WriteFile(filepath.Join(dir, "osascript"), []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	return told
}

type scripted struct {
	Args          []string
	Text          string
	WithTitle     string
	HiddenAnswer  bool
	GivingUpAfter int
}

func heard(t *testing.T, told string) (s scripted) {
	t.Helper()
	text, err := os.ReadFile(told)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil { // one call alone
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

func TestAPINIsAskedForByAScript(t *testing.T) {
	told := playOsascript(t, `return {textReturned: '47"11é', gaveUp: false};`)
	pin, err := askByScript(t.Context(), PINDialog{Title: "authbridge", Text: "Token \"ci\\\"); doEvil(\" é 🔑 <b>asks</b>\nfor it\u2028.", Error: "That PIN was wrong.", Within: 20 * time.Second})
	if err != nil || string(pin) != `47"11é` {
		t.Fatalf("%q, %v", pin, err)
	}
	got := heard(t, told)
	if want := "That PIN was wrong.\n\nToken \"ci\\\"); doEvil(\" é 🔑 basks/b\nfor it."; got.Text != want || got.WithTitle != "authbridge" || !got.HiddenAnswer || got.GivingUpAfter != 20 {
		t.Errorf("the dialog has %+v", got)
	}
	if want := []string{"-l", "JavaScript"}; !slices.Equal(got.Args, want) {
		t.Errorf("it is started with %q", got.Args)
	}
}

func TestAScriptShowsANotification(t *testing.T) {
	told := playOsascript(t, "")
	if err := notify(t.Context(), "authbridge", `Touch "key" <b>4f2a</b>\`); err != nil {
		t.Fatal(err)
	}
	if got := heard(t, told); got.Text != `Touch "key" b4f2a/b\` || got.WithTitle != "authbridge" {
		t.Errorf("it shows %+v", got)
	}
}

func TestWhatADialogOfAScriptMayDo(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		want   error // nil: some error
	}{
		"the person closes it": {`throw new Error('User canceled. (-128)');`, ErrPINDeclined},
		"its time runs out":    {`return {textReturned: '1234', gaveUp: true};`, ErrPINTimedOut},
		"it is not allowed":    {`throw new Error('No user interaction allowed. (-1713)');`, nil},
		"it ends":              {`process.exit(0);`, nil},
		"it is killed":         {`process.kill(process.pid, 'SIGKILL');`, nil},
		"a PIN without an end": {`return {textReturned: '1'.repeat(1e6), gaveUp: false};`, nil},
		"a PIN too long":       {`return {textReturned: '1'.repeat(129), gaveUp: false};`, nil},
		"what no dialog says":  {`console.log('1234'); process.exit(0);`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			playOsascript(t, c.answer)
			pin, err := askByScript(t.Context(), PINDialog{Text: "who"})
			if err == nil || pin != nil || c.want != nil && !errors.Is(err, c.want) || c.want == nil && (errors.Is(err, ErrPINDeclined) || errors.Is(err, ErrPINTimedOut)) {
				t.Errorf("%q, %v", pin, err)
			}
			if err != nil && (strings.Contains(err.Error(), "1234") || strings.Contains(err.Error(), "111")) {
				t.Errorf("a PIN is in %q", err)
			}
		})
	}
}

func TestADialogOfAScriptEndsWithItsContext(t *testing.T) {
	told := playOsascript(t, `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		waitFor(t, told)
		cancel()
	}()
	if pin, err := askByScript(ctx, PINDialog{Text: "who"}); !errors.Is(err, context.Canceled) || pin != nil {
		t.Errorf("%q, %v", pin, err)
	}
}

func TestWithoutOsascriptItSaysSo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := askByScript(t.Context(), PINDialog{}); !errors.Is(err, ErrNoPINDialog) {
		t.Error(err)
	}
}

func TestAnAnswerIsWiped(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{"PIN 4711\n": "4711", "PIN late\n": "late", "PIN \n": "", "PIN PIN 1\n": "PIN 1", "PIN " + strings.Repeat("1", longestPIN) + "\n": strings.Repeat("1", longestPIN)} {
		buffer := make([]byte, longestAnswer+1)
		pin, err := readAnswer(iotest.OneByteReader(strings.NewReader(said)), buffer)
		if err != nil || string(pin) != want {
			t.Errorf("%q: %q, %v", said, pin, err)
		}
		if bytes.Trim(buffer, "\x00") != nil {
			t.Errorf("%q leaves %q behind", said, buffer)
		}
	}
}

// FuzzScriptText holds that a text is a literal, whatever is in it: JavaScript's
// are those of JSON (ECMA-262, 12.9.4.1).
func FuzzScriptText(f *testing.F) {
	f.Add(`"); evil("`)
	f.Add("\\u0022 \u2028 \U0001f511 \xff\x00\n<b>")
	f.Fuzz(func(t *testing.T, text string) {
		literal := quoteScript(text)
		for _, c := range []byte(literal) {
			if c < ' ' || c > '~' {
				t.Fatalf("%q is not ASCII", literal)
			}
		}
		var back string
		if err := json.Unmarshal([]byte(literal), &back); err != nil || back != plain(text) {
			t.Fatalf("%q became %q, which is %q: %v", text, literal, back, err)
		}
	})
}

// FuzzAnswer holds that whatever is answered, no PIN is longer than one may be,
// and nothing of it is left in the buffer.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("PIN 4711\n"))
	f.Add([]byte("late\n"))
	f.Add([]byte("PIN " + strings.Repeat("1", 200)))
	f.Fuzz(func(t *testing.T, said []byte) {
		buffer := make([]byte, longestAnswer+1)
		pin, err := readAnswer(bytes.NewReader(said), buffer)
		if len(pin) > longestPIN || err != nil && pin != nil || bytes.Trim(buffer, "\x00") != nil {
			t.Fatalf("%q, %v, %q", pin, err, buffer)
		}
	})
}
