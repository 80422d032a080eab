//go:build linux && e2e

package kernel_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"authbridge/fido/vkey"

	"golang.org/x/sys/unix"
)

// patience is for one step of another program, on an emulated machine.
const patience = 60 * time.Second

// judge is libfido2's tools on a virtual key that the kernel has.
type judge struct {
	t    *testing.T
	key  *vkey.Key
	node string
	dir  string
}

// newJudge plugs a key into the kernel.
func newJudge(t *testing.T, cfg vkey.Config) *judge {
	t.Helper()
	k, err := vkey.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	u, err := vkey.PlugUHID(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := u.Unplug(); err != nil {
			t.Error(err)
		}
	})
	j := &judge{t: t, key: k, dir: t.TempDir()}
	j.node = j.await()
	return j
}

// await waits for the key's hidraw node.
func (j *judge) await() string {
	j.t.Helper()
	late := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if node, ok := findNode(j.key.Serial()); ok {
			return node
		}
		select {
		case <-tick.C:
		case <-late:
			j.t.Fatal("the kernel made no hidraw node")
		}
	}
}

// findNode is the hidraw node of the device with a serial number, if it is there.
func findNode(serial string) (node string, ok bool) {
	uevents, _ := filepath.Glob("/sys/class/hidraw/*/device/uevent") // the pattern is good
	for _, uevent := range uevents {
		text, err := os.ReadFile(uevent)
		if err != nil || !strings.Contains(string(text), "HID_UNIQ="+serial+"\n") {
			continue
		}
		node := "/dev/" + filepath.Base(filepath.Dir(filepath.Dir(uevent)))
		if _, err := os.Stat(node); err == nil {
			return node, true
		}
	}
	return "", false
}

// run runs a tool, with PINs typed at its prompts, and returns what it said.
func (j *judge) run(pins []string, stdin, tool string, args ...string) (string, error) {
	j.t.Helper()
	ctx, cancel := context.WithTimeout(j.t.Context(), patience)
	defer cancel()
	master, slave := openPTY(j.t)
	defer func() { _ = master.Close() }()
	cmd := exec.CommandContext(ctx, tool, args...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &out
	cmd.ExtraFiles = []*os.File{slave} // descriptor 3: the controlling terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	if err := cmd.Start(); err != nil {
		j.t.Fatal(err)
	}
	_ = slave.Close()
	typed := make(chan int)
	go func() { typed <- typePINs(master, pins) }()
	err := cmd.Wait()
	// Nobody has the terminal open any more, so that reading it ends.
	if n := <-typed; n != len(pins) {
		j.t.Errorf("%s %v asked for %d PINs, want %d", tool, args, n, len(pins))
	}
	j.t.Logf("%s %s: %v\n%s", tool, strings.Join(args, " "), err, out.String())
	return out.String(), err
}

// typePINs answers each prompt (it ends with a colon and a space) with the
// next PIN, until the terminal has no other end. It returns the number of
// prompts.
func typePINs(master *os.File, pins []string) int {
	var seen []byte
	buf := make([]byte, 256)
	prompts := 0
	for {
		n, err := master.Read(buf)
		seen = append(seen, buf[:n]...)
		for ; bytes.Count(seen, []byte(": ")) > prompts; prompts++ {
			pin := "" // an empty line ends a tool that asks too often
			if prompts < len(pins) {
				pin = pins[prompts]
			}
			if _, err := master.WriteString(pin + "\n"); err != nil {
				return prompts
			}
		}
		if err != nil {
			return prompts
		}
	}
}

func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "ptmx"), slave
}

// must is run for a tool that has to succeed.
func (j *judge) must(pins []string, stdin, tool string, args ...string) string {
	j.t.Helper()
	out, err := j.run(pins, stdin, tool, args...)
	if err != nil {
		j.t.Fatalf("%s %v: %v", tool, args, err)
	}
	return out
}

// refused is run for a tool that has to fail, and say why.
func (j *judge) refused(pins []string, why, stdin, tool string, args ...string) {
	j.t.Helper()
	out, err := j.run(pins, stdin, tool, args...)
	if err == nil || !strings.Contains(out, why) {
		j.t.Errorf("%s %v: %v, want %s", tool, args, err, why)
	}
}

func (j *judge) says(out string, wanted ...string) {
	j.t.Helper()
	for _, w := range wanted {
		if !strings.Contains(out, w) {
			j.t.Errorf("it does not say %q", w)
		}
	}
}

func nonce() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}

// file writes lines into a file for a tool.
func (j *judge) file(name string, lines ...string) string {
	j.t.Helper()
	path := filepath.Join(j.dir, name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		j.t.Fatal(err)
	}
	return path
}

// credential makes one with fido2-cred and has it verified. It returns its ID
// and a file with its public key.
func (j *judge) credential(user string, pins []string, make1, verify []string) (id, key string) {
	j.t.Helper()
	in := nonce() + "\nlocalhost\n" + user + "\n" + base64.StdEncoding.EncodeToString([]byte("id of "+user)) + "\n"
	made := j.must(pins, in, "fido2-cred", append(append([]string{"-M"}, make1...), j.node, "es256")...)
	out := j.must(nil, made, "fido2-cred", append(append([]string{"-V"}, verify...), "es256")...)
	id, pem, ok := strings.Cut(out, "\n")
	if !ok || !strings.HasPrefix(pem, "-----BEGIN PUBLIC KEY-----") {
		j.t.Fatalf("no credential in %q", out)
	}
	return id, j.file(strings.ReplaceAll(user, " ", "-")+".pem", strings.TrimSpace(pem))
}

// assertion gets one with fido2-assert and has it verified. Without an id the
// key discovers the credential.
func (j *judge) assertion(id, key string, pins []string, get, verify []string) {
	j.t.Helper()
	in := nonce() + "\nlocalhost\n"
	if id == "" {
		get = append(get, "-r")
	} else {
		in += id + "\n"
	}
	got := j.must(pins, in, "fido2-assert", append(append([]string{"-G"}, get...), j.node)...)
	j.must(nil, got, "fido2-assert", append(append([]string{"-V"}, verify...), key, "es256")...)
}

func TestLibfido2SetsAndChangesThePIN(t *testing.T) {
	j := newJudge(t, vkey.Config{Name: "pin", Serial: "judge-pin"})
	j.says(j.must(nil, "", "fido2-token", "-L"), j.node+": vendor=0xf1d0, product=0xa17b")
	j.says(j.must(nil, "", "fido2-token", "-I", j.node),
		"caps: 0x0d (wink, cbor, nomsg)", "FIDO_2_0, FIDO_2_1_PRE, FIDO_2_1", "credProtect, hmac-secret", "transport strings: usb",
		"algorithms: es256 (public-key)", "aaguid: "+fmt.Sprintf("%x", vkey.AAGUID),
		"options: rk, up, noplat, credMgmt, noclientPin, pinUvAuthToken, makeCredUvNotRqd",
		"maxmsgsiz: 1200", "minpinlen: 4", "pin protocols: 2, 1", "remaining rk(s): 100")
	j.must([]string{"1234", "1234"}, "", "fido2-token", "-S", j.node)
	j.says(j.must(nil, "", "fido2-token", "-I", j.node), " clientPin", "pin retries: 8")
	j.must([]string{"1234", "98765", "98765"}, "", "fido2-token", "-C", j.node)
	j.refused([]string{"1234", "5555", "5555"}, "FIDO_ERR_PIN_INVALID", "", "fido2-token", "-C", j.node)
	j.says(j.must(nil, "", "fido2-token", "-I", j.node), "pin retries: 7")
	j.refused([]string{"1234", "5555", "5555"}, "FIDO_ERR_PIN_INVALID", "", "fido2-token", "-C", j.node)
	j.refused([]string{"1234", "5555", "5555"}, "FIDO_ERR_PIN_AUTH_BLOCKED", "", "fido2-token", "-C", j.node)
	j.says(j.must(nil, "", "fido2-token", "-I", j.node), "pin retries: 5")
	if n := j.key.Stats().PINTries; n != 4 {
		t.Errorf("the key counted %d PIN tries, want 4", n)
	}
}

func TestLibfido2UsesCredentials(t *testing.T) {
	j := newJudge(t, vkey.Config{Name: "cred", Serial: "judge-cred", PIN: []byte("1234")})
	pin := []string{"1234"}

	t.Log("a credential without a PIN, used without and with one")
	id, key := j.credential("plain", nil, nil, nil)
	j.assertion(id, key, nil, nil, nil)
	j.assertion(id, key, nil, []string{"-t", "up=true"}, []string{"-p"})
	j.assertion(id, key, pin, []string{"-v"}, []string{"-v"})

	t.Log("a credential with a PIN")
	id, key = j.credential("verified", pin, []string{"-v"}, []string{"-v"})
	j.assertion(id, key, pin, []string{"-t", "pin=true", "-t", "up=true"}, []string{"-p", "-v"})

	t.Log("a discoverable credential, protected")
	_, key = j.credential("resident", pin, []string{"-r", "-v", "-c", "3"}, []string{"-v", "-c", "3"})
	j.refused(nil, "FIDO_ERR_NO_CREDENTIALS", nonce()+"\nlocalhost\n", "fido2-assert", "-G", "-r", j.node)
	j.assertion("", key, pin, []string{"-v"}, []string{"-v"})

	t.Log("hmac-secret")
	id, _ = j.credential("hmac", nil, []string{"-h"}, []string{"-h"})
	salt := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	secrets := map[string]bool{}
	for range 2 {
		out := j.must(pin, nonce()+"\nlocalhost\n"+id+"\n"+salt+"\n", "fido2-assert", "-G", "-h", "-v", j.node)
		lines := strings.Fields(out)
		secrets[lines[len(lines)-1]] = true
	}
	if len(secrets) != 1 {
		t.Errorf("one salt gave %d secrets", len(secrets))
	}

	t.Log("what is on the key, and off again")
	j.says(j.must(pin, "", "fido2-token", "-L", "-r", j.node), "localhost")
	list := j.must(pin, "", "fido2-token", "-L", "-k", "localhost", j.node)
	j.says(list, base64.StdEncoding.EncodeToString([]byte("id of resident")), "es256 uvreq")
	j.must(pin, "", "fido2-token", "-D", "-i", strings.Fields(list)[1], j.node)
	j.refused(pin, "FIDO_ERR_NO_CREDENTIALS", nonce()+"\nlocalhost\n", "fido2-assert", "-G", "-r", "-v", j.node)
	j.says(j.must(nil, "", "fido2-token", "-I", j.node), "pin retries: 8")
}

func TestLibfido2WaitsForTheTouch(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	j := newJudge(t, vkey.Config{Name: "touch", Serial: "judge-touch", Touch: vkey.TouchCommand})
	touched := make(chan error)
	go func() {
		err := j.key.AwaitTouch(ctx)
		j.key.Touch()
		touched <- err
	}()
	id, _ := j.credential("touched", nil, nil, nil)
	if err := <-touched; err != nil {
		t.Error(err)
	}
	j.refused(nil, "FIDO_ERR_NO_CREDENTIALS", nonce()+"\nexample.com\n"+id+"\n", "fido2-assert", "-G", j.node)
}

func TestLibfido2ResetsTheKey(t *testing.T) {
	j := newJudge(t, vkey.Config{Name: "reset", Serial: "judge-reset", PIN: []byte("1234")})
	j.must(nil, "", "fido2-token", "-R", j.node) // within 10 s of power up
	j.says(j.must(nil, "", "fido2-token", "-I", j.node), "noclientPin")
}

func TestLibfido2SeesTheFaults(t *testing.T) {
	j := newJudge(t, vkey.Config{Name: "fault", Serial: "judge-fault", PIN: []byte("1234")})
	faults := func(f ...vkey.Fault) {
		t.Helper()
		if err := j.key.SetFaults(f...); err != nil {
			t.Fatal(err)
		}
	}
	faults(vkey.Fault{Name: vkey.U2FOnly})
	j.says(j.must(nil, "", "fido2-token", "-I", j.node), "caps: 0x01 (wink, nocbor, msg)")
	faults(vkey.Fault{Name: vkey.PINBlocked})
	j.says(j.must(nil, "", "fido2-token", "-I", j.node), "pin retries: 0")
	faults(vkey.Fault{Name: vkey.NoPIN})
	j.says(j.must(nil, "", "fido2-token", "-I", j.node), "noclientPin")
	faults(vkey.Fault{Name: vkey.Slow, Delay: 300 * time.Millisecond})
	j.must(nil, "", "fido2-token", "-I", j.node)
	for _, name := range []vkey.FaultName{vkey.Garbage, vkey.ForeignChannel, vkey.Busy} {
		faults(vkey.Fault{Name: name})
		// It takes a key that does not answer CTAPHID_CBOR for a U2F key.
		if out, _ := j.run(nil, "", "timeout", "10", "fido2-token", "-I", j.node); strings.Contains(out, "version strings") {
			t.Errorf("%s: fido2-token -I was answered", name)
		}
	}
	faults()
	j.says(j.must(nil, "", "fido2-token", "-I", j.node), "pin retries: 8")
}
