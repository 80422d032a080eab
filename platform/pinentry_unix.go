//go:build unix

package platform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

func askPIN(ctx context.Context, d PINDialog) ([]byte, error) {
	if runtime.GOOS == "darwin" {
		return askByScript(ctx, d)
	}
	for _, name := range pinentries {
		if program, err := exec.LookPath(name); err == nil {
			return runPinentry(ctx, program, d)
		}
	}
	return nil, fmt.Errorf("%w: none of %s is installed", ErrNoPINDialog, strings.Join(pinentries, ", "))
}

// pinentries are the programs that speak pinentry's protocol, by the user's
// choice first.
var pinentries = []string{"pinentry", "pinentry-gnome3", "pinentry-qt", "pinentry-gtk-2"}

// runPinentry asks by a program of GnuPG's (pinentry's manual, "Protocol"; the
// Assuan manual, "Client requests" and "Server responses"). A library is not
// used: those there are give the PIN as a string, which cannot be wiped.
func runPinentry(ctx context.Context, program string, d PINDialog) (pin []byte, err error) {
	running, end := context.WithCancel(ctx)
	defer end()
	cmd := exec.CommandContext(running, program)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoPINDialog, err)
	}
	defer func() {
		end() // whether it would end by itself or not
		_ = cmd.Wait()
		if ctx.Err() != nil {
			clear(pin)
			pin, err = nil, ctx.Err()
		}
	}()
	p := &pinentry{in: in, out: out}
	defer clear(p.buffer[:])
	if _, err := p.answer(); err != nil { // its greeting
		return nil, fmt.Errorf("%w: %s: %w", ErrNoPINDialog, program, err)
	}
	for _, line := range d.orders(os.Getenv) {
		if _, err := p.ask(line); err != nil && !strings.HasPrefix(line, "OPTION ") {
			return nil, fmt.Errorf("%s: %w", program, err)
		}
	}
	return p.ask("GETPIN")
}

// orders set the dialog up. An option that a pinentry does not know it refuses,
// and goes on.
func (d PINDialog) orders(env func(string) string) []string {
	var all []string
	if tty := env("GPG_TTY"); tty != "" { // for those without a window
		all = append(all, "OPTION ttyname="+escapeAssuan(tty))
		if term := env("TERM"); term != "" {
			all = append(all, "OPTION ttytype="+escapeAssuan(term))
		}
	}
	all = append(all, "SETTITLE "+escapeAssuan(d.Title), "SETDESC "+escapeAssuan(d.Text), "SETPROMPT PIN:")
	if d.Error != "" {
		all = append(all, "SETERROR "+escapeAssuan(d.Error))
	}
	if seconds := int(d.Within / time.Second); seconds > 0 {
		all = append(all, fmt.Sprintf("SETTIMEOUT %d", seconds))
	}
	return all
}

// longestAssuan is how long a line may be (Assuan manual, "Line length").
const longestAssuan = 1000

// escapeAssuan makes a text one argument, cut where the line would be too long.
// Some dialogs take text with tags in it for markup, so their brackets go.
func escapeAssuan(text string) string {
	var b strings.Builder
	for _, r := range plain(text) {
		s := string(r)
		switch r {
		case '%':
			s = "%25"
		case '\n':
			s = "%0A"
		}
		if b.Len()+len(s) > longestAssuan-len("SETDESC ")-1 {
			break
		}
		b.WriteString(s)
	}
	return b.String()
}

// pinentry is the conversation with one. What it says is read into one buffer,
// which is wiped: the PIN passes it.
type pinentry struct {
	in     io.Writer
	out    io.Reader
	buffer [longestAssuan + 2]byte
	have   int // octets in the buffer
}

// refused is an ERR of a pinentry, with the number of libgpg-error.
type refused struct {
	number uint32
	text   string
}

func (e *refused) Error() string { return fmt.Sprintf("it says %d %s", e.number, e.text) }

// Numbers of libgpg-error, without the part that says where they come from.
const (
	gpgTimeout         = 62
	gpgCanceled        = 99
	gpgFullyCanceled   = 198
	gpgNotConfirmed    = 114
	gpgNumberOfCode    = 0xffff
	tooMuchFromProgram = 64 // lines to one order
)

// ask gives an order, and has what it brings.
func (p *pinentry) ask(line string) ([]byte, error) {
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		return nil, err
	}
	return p.answer()
}

// answer reads up to OK or ERR, and gives the data lines before.
func (p *pinentry) answer() (data []byte, err error) {
	data = make([]byte, 0, longestPIN)
	defer func() {
		if err != nil {
			clear(data[:cap(data)])
			data = nil
		}
	}()
	for range tooMuchFromProgram {
		line, end, err := p.line()
		if err != nil {
			return data, err
		}
		word, rest, _ := bytes.Cut(line, []byte(" "))
		done := false
		switch string(word) {
		case "OK":
			done = true
		case "ERR":
			err = refusal(string(rest))
		case "D":
			data, err = unescape(data, rest)
		case "S", "#", "":
		default:
			if word[0] != '#' {
				err = errors.New("it says what no pinentry says")
			}
		}
		p.drop(end)
		if err != nil || done {
			return data, err
		}
	}
	return data, errors.New("it does not come to an end")
}

func refusal(text string) error {
	e := &refused{}
	number, words, _ := strings.Cut(text, " ")
	_, _ = fmt.Sscanf(number, "%d", &e.number)
	e.text = plain(words)
	switch e.number & gpgNumberOfCode {
	case gpgCanceled, gpgFullyCanceled, gpgNotConfirmed:
		return ErrPINDeclined
	case gpgTimeout:
		return ErrPINTimedOut
	}
	return e
}

// unescape appends a data line to a PIN that never moves: it has all its room
// from the beginning.
func unescape(data, line []byte) ([]byte, error) {
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c == '%' {
			if i+2 >= len(line) {
				return data, errors.New("it sends a broken line")
			}
			hi, lo := nibble(line[i+1]), nibble(line[i+2])
			if hi < 0 || lo < 0 {
				return data, errors.New("it sends a broken line")
			}
			c, i = byte(hi<<4|lo), i+2
		}
		if len(data) == longestPIN {
			return data, errors.New("the PIN is too long")
		}
		data = append(data, c)
	}
	return data, nil
}

func nibble(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c - 'a' + 10)
	case 'A' <= c && c <= 'F':
		return int(c - 'A' + 10)
	}
	return -1
}

// line is the next one, and where it ends in the buffer.
func (p *pinentry) line() (line []byte, end int, err error) {
	for {
		if i := bytes.IndexByte(p.buffer[:p.have], '\n'); i >= 0 {
			return bytes.TrimSuffix(p.buffer[:i], []byte("\r")), i + 1, nil
		}
		if p.have == len(p.buffer) {
			return nil, 0, errors.New("it sends a line without an end")
		}
		n, err := p.out.Read(p.buffer[p.have:])
		if p.have += n; n == 0 && err != nil {
			return nil, 0, err
		}
	}
}

// drop takes what was read out of the buffer, and leaves no copy behind.
func (p *pinentry) drop(end int) {
	rest := copy(p.buffer[:], p.buffer[end:p.have])
	clear(p.buffer[rest:p.have])
	p.have = rest
}
