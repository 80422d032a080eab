//go:build unix && !darwin

package platform

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// playPinentry puts a pinentry on the path that answers by a script of sh, and
// writes down what it was told.
func playPinentry(t *testing.T, getpin string) (told string) {
	t.Helper()
	dir := t.TempDir()
	told = filepath.Join(dir, "told")
	script(t, filepath.Join(dir, "pinentry"), `echo "OK Pleased to meet you"
while read -r line; do
  printf '%s\n' "$line" >> "`+told+`"
  case "$line" in
    GETPIN) `+getpin+` ;;
    OPTION*) echo "ERR 83886254 Unknown option" ;;
    *) echo OK ;;
  esac
done`)
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return told
}

func TestAPINIsAskedForByPinentry(t *testing.T) {
	told := playPinentry(t, `echo "# a remark"; echo "S PASSWORD_FROM_CACHE"; echo "D 12%25%0a"; echo "D é4"; echo OK`)
	t.Setenv("GPG_TTY", "/dev/pts/9")
	pin, err := AskPIN(t.Context(), PINDialog{Title: "authbridge", Text: "100% of <b>token</b> &\x1b[31m ci\nasks", Error: "Wrong.", Within: 20 * time.Second})
	if err != nil || string(pin) != "12%\né4" {
		t.Fatalf("%q, %v", pin, err)
	}
	text, err := os.ReadFile(told)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"OPTION ttyname=/dev/pts/9\n", "SETTITLE authbridge\n", "SETDESC 100%25 of btoken/b [31m ci%0Aasks\n", "SETPROMPT PIN:\n", "SETERROR Wrong.\n", "SETTIMEOUT 20\n", "GETPIN\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestWhatAPinentryMayDo(t *testing.T) {
	for name, c := range map[string]struct {
		getpin string
		want   error // nil: some error
	}{
		"the person closes it":      {`echo "ERR 83886179 Operation cancelled <Pinentry>"`, ErrPINDeclined},
		"its time runs out":         {`echo "ERR 83886142 Timeout <Pinentry>"`, ErrPINTimedOut},
		"there is no terminal":      {`echo "ERR 83918950 Inappropriate ioctl for device <Pinentry>"`, nil},
		"it ends":                   {`exit 1`, nil},
		"a broken escape":           {`echo "D 12%4"; echo OK`, nil},
		"a wrong escape":            {`echo "D 12%zz"; echo OK`, nil},
		"a PIN without an end":      {`echo "D ` + strings.Repeat("1", longestPIN+1) + `"; echo OK`, nil},
		"many data lines":           {`i=0; while [ $i -lt 200 ]; do echo "D 1111"; i=$((i+1)); done; echo OK`, nil},
		"a line without an end":     {`head -c 4000 /dev/zero | tr '\0' x; exec sleep 60`, nil},
		"remarks without an end":    {`while :; do echo "# and"; done`, nil},
		"what no pinentry says":     {`echo "INQUIRE PINENTRY_LAUNCHED"; echo OK`, nil},
		"nothing but an empty line": {`echo; exit 0`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			playPinentry(t, c.getpin)
			pin, err := AskPIN(t.Context(), PINDialog{Text: "who"})
			if err == nil || pin != nil || c.want != nil && !errors.Is(err, c.want) || c.want == nil && errors.Is(err, ErrPINDeclined) {
				t.Errorf("%q, %v", pin, err)
			}
		})
	}
}

func TestADialogEndsWithItsContext(t *testing.T) {
	told := playPinentry(t, `exec sleep 600`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		waitFor(t, told)
		cancel()
	}()
	if pin, err := AskPIN(ctx, PINDialog{Text: "who"}); !errors.Is(err, context.Canceled) || pin != nil {
		t.Errorf("%q, %v", pin, err)
	}
}

func TestWithoutAPinentryItSaysSo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := AskPIN(t.Context(), PINDialog{}); !errors.Is(err, ErrNoPINDialog) {
		t.Error(err)
	}
}

// TestARealPinentryIsUnderstood, on a terminal of its own that script(1) makes.
func TestARealPinentryIsUnderstood(t *testing.T) {
	real, err := exec.LookPath("pinentry-tty")
	if err != nil {
		t.Skip("there is no pinentry-tty here: install the package pinentry-tty")
	}
	if _, err := exec.LookPath("script"); err != nil {
		t.Skip("there is no script(1) here: install the package bsdutils")
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "tty")
	// The terminal: its name is written down, and it stays until it is closed.
	terminal := exec.Command("script", "-qec", "tty > "+name+".new && mv "+name+".new "+name+" && sleep 600", "/dev/null")
	keyboard, err := terminal.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen, err := terminal.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := terminal.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = terminal.Process.Kill()
		_ = terminal.Wait()
	}()
	waitFor(t, name)
	tty, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, filepath.Join(dir, "pinentry")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv("GPG_TTY", strings.TrimSpace(string(tty)))
	t.Setenv("TERM", "dumb")
	shown := make(chan string, 1)
	go func() {
		var text bytes.Buffer
		buffer := make([]byte, 1024)
		for !strings.Contains(text.String(), "PIN:") {
			n, err := screen.Read(buffer)
			if err != nil {
				break
			}
			text.Write(buffer[:n])
		}
		_, _ = keyboard.Write([]byte("47%11\r"))
		shown <- text.String()
	}()
	lines := []string{`Program "node" of user 1000 (100% of run 17) asks for the PIN of card 4f2a.`, "With it, it signs in to login.test.example at int.", "8 tries are left."}
	pin, err := AskPIN(t.Context(), PINDialog{Title: "authbridge", Text: strings.Join(lines, "\n"), Within: time.Minute})
	if err != nil || string(pin) != "47%11" {
		t.Errorf("%q, %v", pin, err)
	}
	text := <-shown
	for _, line := range lines {
		if !strings.Contains(text, line) {
			t.Errorf("%q is not in what it shows:\n%s", line, text)
		}
	}
}

// FuzzPinentry holds that whatever a program says ends, and gives a PIN that is
// no longer than one may be.
func FuzzPinentry(f *testing.F) {
	f.Add([]byte("OK hello\nD 12%2534\nOK\n"))
	f.Add([]byte("ERR 83886179 Operation cancelled\n"))
	f.Add([]byte("D %\nOK\nD " + strings.Repeat("%41", 300)))
	f.Fuzz(func(t *testing.T, said []byte) {
		p := &pinentry{in: &bytes.Buffer{}, out: bytes.NewReader(said)}
		for {
			data, err := p.answer()
			if len(data) > longestPIN || err != nil && data != nil {
				t.Fatalf("%d octets, %v", len(data), err)
			}
			if bytes.Trim(p.buffer[p.have:], "\x00") != nil && err == nil {
				t.Fatal("what was read is still there")
			}
			if err != nil {
				return
			}
		}
	})
}
