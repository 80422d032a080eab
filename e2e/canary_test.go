//go:build linux && cgo

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/store"
)

// Rule 2: PINs, tokens and what logins are made of go every way there is, the
// wrong ones too, with everything logged and traced; then all that the program
// has said and written is searched for them.
//
// A token is where it is given out: in the answer that makes it, in the file
// token, in the environment of a command that runs under a lease, and, for whoever
// sets AUTHBRIDGE_TOKEN, in the environment of that. The database knows tokens by
// their SHA-256. A virtual card or key is a file, which knows the device's PIN. No
// canary is anywhere else.
func TestASecretIsFoundNowhere(t *testing.T) {
	h := startHunt(t)
	ci := h.token("ci", contract.RightRead, contract.RightLease, contract.RightVirtual)
	other := h.token("other", contract.RightRead, contract.RightLease)
	reader := h.token("reader", contract.RightRead)
	everybody := []who{{"own", h.own}, ci, other, reader}
	user := who{name: "its user"}
	follow := func() {
		for _, as := range everybody {
			h.follow(as, byTCP)
		}
		h.follow(user, bySocket)
	}
	follow()

	h.wrongPlaces(ci, other, reader, user)
	for _, kind := range []contract.Kind{contract.SecurityKey, contract.Smartcard} {
		h.everyWay(kind, ci, other, reader, user)
	}
	h.goAway(ci, user)
	h.logins(ci, reader, user)
	h.killedInCeremonies(ci, user, follow)
	h.commands(ci)

	for _, as := range everybody {
		for _, path := range []string{
			"/metrics", "/openapi.json", "/v1/status", "/v1/authenticators", "/v1/authenticators/" + h.keyID + "/blocks",
			"/v1/authenticators/" + h.cardID + "/blocks", "/v1/authenticators/" + h.cardID + "/certificates", "/v1/ceremonies", "/v1/leases", "/v1/tokens", "/v1/virtual", "/v1/logins", "/v1/mock",
			"/v1/readiness?aal=3&target=mock",
		} {
			h.get(as, path)
		}
		h.replay(as)
	}
	h.stopped(syscall.SIGTERM)
	h.journal()
	h.add(place{name: "the log", data: h.read(h.log), holds: []*canary{h.planted}})
	h.look()
}

// look searches every place.
func (h *hunt) look() {
	kept := make(map[*canary]bool)
	hashes, octets := 0, 0
	for _, p := range h.places {
		octets += len(p.data)
		missed := slices.Clone(p.holds)
		for _, f := range h.search.search(p.data) {
			switch {
			case f.canary == h.planted:
			case p.keeps == f.canary:
				kept[f.canary] = true
				continue
			case f.form == inPlain && slices.Contains(p.holds, f.canary):
			case p.hashes && (f.form == asSHA256 || f.form == "as the left half of SHA-256") && strings.HasPrefix(f.value, "authbridge_"):
				hashes++
				continue
			default:
				h.t.Errorf("%s: %s", p.name, f)
			}
			missed = slices.DeleteFunc(missed, func(c *canary) bool { return c == f.canary })
		}
		if token := anyToken.Find(p.data); token != nil {
			h.t.Errorf("%s: holds what looks like a signed token: %s", p.name, token)
		}
		for _, c := range missed {
			h.t.Errorf("%s: %s is not found, which is there: the search finds nothing", p.name, c.name)
		}
	}
	if len(kept) != 3 || hashes == 0 {
		h.t.Errorf("of two virtual devices and a key that signs %d are found where they are, and the hashes of %d tokens", len(kept), hashes)
	}
	h.t.Logf("%d places, %d octets", len(h.places), octets)
}

// journal takes each table of the database as SQLite reads it: a value that is
// split over pages is whole here.
func (h *hunt) journal() {
	h.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.state, store.FileName)+"?mode=ro")
	must(h.t, err)
	defer db.Close()
	var tables []string
	rows, err := db.QueryContext(h.t.Context(), "SELECT name FROM sqlite_schema WHERE type = 'table'")
	must(h.t, err)
	for rows.Next() {
		var name string
		must(h.t, rows.Scan(&name))
		tables = append(tables, name)
	}
	must(h.t, rows.Err())
	for _, table := range tables {
		p := place{name: "table " + table, hashes: table == "tokens" || table == "leases"}
		if table == "events" {
			p.holds = []*canary{h.planted}
		}
		rows, err := db.QueryContext(h.t.Context(), "SELECT * FROM "+table)
		must(h.t, err)
		columns, err := rows.Columns()
		must(h.t, err)
		for rows.Next() {
			values := make([]sql.RawBytes, len(columns))
			into := make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			must(h.t, rows.Scan(into...))
			for _, v := range values {
				p.data = append(append(p.data, v...), '\n')
			}
		}
		must(h.t, rows.Err())
		h.add(p)
	}
}

// goAway: clients that are gone in the middle, with and without waiting.
func (h *hunt) goAway(ci, user who) {
	h.touch(ci, "never")
	l := h.lease(ci, byTCP, h.keyID)
	for _, body := range []string{h.with(l, creating, h.pin(h.key.value)), h.with(l, creating, `,"pin":{"ask":true}`)} {
		leaves, leave := context.WithTimeout(h.t.Context(), 2*time.Second)
		h.do(leaves, call{as: ci, by: byTCP, method: http.MethodPost, path: "/v1/ceremonies", kind: "application/json", body: body})
		leave()
		var all []contract.Ceremony
		h.want(h.get(ci, "/v1/ceremonies"), http.StatusOK, &all)
		h.reaches(all[len(all)-1].ID, contract.CeremonyCancelled)
	}
	// Cancelled from outside, with a PIN where none belongs.
	c := h.started(ci, byTCP, h.with(l, creating, h.pin(h.key.value)+`,"wait":false`))
	h.reaches(c.ID, contract.CeremonyTouch)
	h.do(h.t.Context(), call{as: ci, by: byTCP, method: http.MethodDelete, path: "/v1/ceremonies/" + c.ID, kind: "application/json", body: `{"pin":"` + h.wrong(contract.SecurityKey, "in a DELETE") + `"}`})
	h.want(h.do(h.t.Context(), call{as: ci, by: byTCP, method: http.MethodDelete, path: "/v1/ceremonies/" + c.ID, kind: "application/json"}), http.StatusOK, nil)
	h.release(ci, byTCP, l)

	// A lease that its connection holds goes with it.
	leaves, leave := context.WithTimeout(h.t.Context(), 2*time.Second)
	defer leave()
	h.do(leaves, call{
		as: user, by: bySocket, method: http.MethodPost, path: "/v1/leases", kind: "application/json",
		body: fmt.Sprintf(`{"target":"mock","authenticator":%q,"hold":"connection","purpose":%q}`, h.keyID, h.planted.value),
		holds: func(text []byte) []*canary {
			_, rest, _ := strings.Cut(string(text), `"token":"`)
			secret, _, ok := strings.Cut(rest, `"`)
			if !ok {
				h.t.Fatalf("no lease in the stream: %s", text)
			}
			return []*canary{h.canary("the token of a lease that a connection holds", secret), h.planted}
		},
	})
	h.touch(ci, "auto")
}

// killedInCeremonies: in the middle of ceremonies the daemon is killed, once so
// that the runtime writes down all its stacks.
func (h *hunt) killedInCeremonies(ci, user who, follow func()) {
	for _, by := range []syscall.Signal{syscall.SIGKILL, syscall.SIGQUIT} {
		h.touch(ci, "never")
		l := h.lease(ci, byTCP, h.keyID)
		c := h.started(ci, byTCP, h.with(l, creating, h.pin(h.key.value)+`,"wait":false`))
		h.reaches(c.ID, contract.CeremonyTouch)
		m := h.lease(user, bySocket, h.cardID)
		h.want(h.post(ci, byTCP, "/v1/logins", `{"target":"mock","kind":"smartcard","queue":"10m"`+h.pin(h.wrong(contract.Smartcard, "of a login run in the queue"))+`}`), http.StatusAccepted, nil)
		asks := h.started(user, bySocket, h.with(m, signing, `,"pin":{"ask":true},"wait":false`))
		h.reaches(asks.ID, contract.CeremonyPIN)
		h.stopped(by)
		h.begin()
		h.until("card and key are ready", h.ready)
		follow()
		h.get(ci, "/v1/ceremonies/"+c.ID)
		h.release(ci, byTCP, l)
		h.release(user, bySocket, m)
		h.touch(ci, "auto")
	}
}

// commands: the command line, as its user and with a token.
func (h *hunt) commands(ci who) {
	h.writePIN("create.json", `{"rp":{"id":"localhost","name":"Mock"},"user":{"id":"dXNlcg","name":"ann","displayName":"Ann"},"challenge":"AAECAwQFBgcICQoLDA0ODw",
		"pubKeyCredParams":[{"type":"public-key","alg":-7}],"authenticatorSelection":{"userVerification":"required"}}`)
	mine := []string{"--state-dir", h.state}
	create := append([]string{"ceremony", "create", "--origin", askingPage, "--options", h.file("create.json"), "--pin-stdin"}, mine...)
	sign := append([]string{"ceremony", "sign", "--data", h.file("create.json"), "--pin-stdin"}, mine...)
	h.says(0, h.command(h.key.value+"\n", nil, nil, create...))
	h.says(0, h.command(h.card.value+"\n", nil, nil, append(sign, "--json")...))
	h.says(4, h.command(h.wrong(contract.SecurityKey, "wrong on standard input")+"\n", nil, nil, create...))
	h.says(4, h.command(h.wrong(contract.SecurityKey, "blocked on standard input")+"\n", nil, nil, append(create, "--json")...))
	h.says(4, h.command(h.wrong(contract.Smartcard, "wrong on standard input")+"\n", nil, nil, sign...))
	h.says(2, h.command(strings.Repeat(h.wrong(contract.SecurityKey, "too long on standard input"), 9)+"\n", nil, nil, create...))
	h.clear()
	h.interrupted(ci, create)

	// With a token in the environment, which is where its user has put it.
	environ := []string{"AUTHBRIDGE_URL=http://" + h.address, "AUTHBRIDGE_TOKEN=" + ci.token.value}
	h.says(0, h.command("", environ, []*canary{ci.token}, "status"))
	h.says(4, h.command("", environ, []*canary{ci.token}, "token"))
	h.says(4, h.command("", []string{environ[0], "AUTHBRIDGE_TOKEN=" + h.canary("a token that is none", "authbridge_canary_of_nobody_00000000000").value}, []*canary{h.last()}, "status"))

	h.underALease(mine)

	text, err := exec.Command(h.binary, append([]string{"token", "create", "made", "--rights", "read"}, mine...)...).Output()
	must(h.t, err)
	made := h.canary("a token made on the command line", strings.TrimSpace(string(text)))
	if !strings.HasPrefix(made.value, "authbridge_") || strings.ContainsAny(made.value, " \n") {
		h.t.Fatalf("token create wrote %d octets that are no token", len(text))
	}
	h.add(place{name: "what authbridge token create said", data: text, holds: []*canary{made}})
	for _, args := range [][]string{
		{"status"},
		{"status", "--json"},
		{"authenticators"},
		{"authenticators", "--json"},
		{"ready", "--aal", "3", "--target", "mock"},
		{"lease", "list"},
		{"token"},
		{"virtual"},
		{"doctor"},
		{"config", "show", "--config", h.file("config.toml")},
		{"token", "revoke", "made"},
		{"version"},
	} {
		if code := h.command("", nil, nil, append(args, mine...)...); code > 1 { // the doctor finds that hardware is off
			h.says(0, code)
		}
	}
}

// interrupted: a command that has had a PIN is called off while it waits. It
// writes no core either.
func (h *hunt) interrupted(ci who, create []string) {
	h.t.Helper()
	h.touch(ci, "never")
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.binary, create...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(h.key.value+"\n"), &out, &out
	must(h.t, cmd.Start())
	h.until("it waits for a touch", func(*contract.Snapshot) bool {
		var all []contract.Ceremony
		h.want(h.get(ci, "/v1/ceremonies"), http.StatusOK, &all)
		return all[len(all)-1].State == contract.CeremonyTouch
	})
	h.process("a command that waits for a touch", cmd.Process.Pid)
	noCore(h.t, cmd.Process.Pid)
	must(h.t, cmd.Process.Signal(os.Interrupt))
	if err := cmd.Wait(); err == nil {
		h.t.Errorf("it was called off, and said %s", out.Bytes())
	}
	h.add(place{name: "what a command that was called off said", data: out.Bytes()})
	h.touch(ci, "auto")
}

// noCore: the kernel writes no core of a process.
func noCore(t *testing.T, pid int) {
	t.Helper()
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	must(t, err)
	i := bytes.Index(limits, []byte("Max core file size"))
	if i < 0 || !slices.Equal(strings.Fields(string(limits[i:]))[4:6], []string{"0", "0"}) {
		t.Errorf("a core may be written: %s", limits)
	}
}

// underALease runs a command that has the lease's token in its environment.
func (h *hunt) underALease(mine []string) {
	h.t.Helper()
	args := append([]string{"lease", "--kind", "security-key", "--purpose", h.planted.value}, mine...)
	args = append(args, "--", "sh", "-c", `echo $$; read go; exec "$0" "$@"`, h.binary, "ceremony", "create", "--origin", askingPage, "--options", h.file("create.json"), "--pin-stdin")
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.binary, args...)
	in, err := cmd.StdinPipe()
	must(h.t, err)
	out, err := cmd.StdoutPipe()
	must(h.t, err)
	must(h.t, cmd.Start())
	var child int
	_, err = fmt.Fscanln(out, &child)
	must(h.t, err)
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", child))
	must(h.t, err)
	_, rest, _ := strings.Cut(string(environ), "AUTHBRIDGE_TOKEN=")
	secret, _, ok := strings.Cut(rest, "\x00")
	if !ok {
		h.t.Fatal("no token in the environment of a command under a lease")
	}
	handed := h.canary("the token of a command under a lease", secret)
	h.process("a command under a lease", child, handed)
	h.process("authbridge lease", cmd.Process.Pid)
	_, err = fmt.Fprintf(in, "go\n%s\n", h.key.value)
	must(h.t, err)
	must(h.t, in.Close())
	h.drain("authbridge lease", out)
	must(h.t, cmd.Wait())
}

// TestTheMemoryOfTheDaemonIsClosed: no core of it is written, and no other
// program of its user reads its memory or environment, as it may those of others
// (platform.NoCoreDumps; proc(5), PR_SET_DUMPABLE). Only root may.
func TestTheMemoryOfTheDaemonIsClosed(t *testing.T) {
	p := buildProgram(t)
	somebody := &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		const nobody = 65534
		somebody.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		must(t, os.MkdirAll(p.state, 0o700))
		must(t, os.Chown(p.state, nobody, nobody))
		for _, folder := range []string{filepath.Dir(p.state), filepath.Dir(filepath.Dir(p.state)), filepath.Dir(p.binary)} {
			must(t, os.Chmod(folder, 0o755))
		}
	}
	run := func(args ...string) *exec.Cmd {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.SysProcAttr = somebody
		cmd.Env = []string{"HOME=" + p.state}
		return cmd
	}
	open := run("sh", "-c", "echo ready; read line")
	p.daemon = run(p.binary, "run", "--state-dir", p.state, "--listen", "127.0.0.1:0", "--physical", "off")
	for _, cmd := range []*exec.Cmd{open, p.daemon} {
		_, err := cmd.StdinPipe()
		must(t, err)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatalf("%s did not start: %v", cmd.Path, err)
		}
	}
	for _, file := range []string{"environ", "maps", "mem"} {
		for cmd, want := range map[*exec.Cmd]bool{open: true, p.daemon: false} {
			// mem has nothing at 0 for whoever may open it.
			err := run("sh", "-c", fmt.Sprintf(": < /proc/%d/%s", cmd.Process.Pid, file)).Run()
			if (err == nil) != want {
				t.Errorf("%s of %s: another program of its user gets %v", file, filepath.Base(cmd.Path), err)
			}
		}
	}
	noCore(t, p.daemon.Process.Pid)
	p.stop()
}
