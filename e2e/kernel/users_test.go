//go:build linux && e2e

package kernel_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os/exec"
	"os/user"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"authbridge/agent/contract"
)

// machineSocket is the socket of the system service.
const machineSocket = "/run/authbridge/authbridge.sock"

// rightsOf are what the system service lets the users of the story do, by who
// they are: at the seat, over SSH, in the group without a session, and nobody's.
var rightsOf = map[string][]contract.Right{
	"root":     contract.Rights,
	"tester":   {contract.RightRead, contract.RightLease, contract.RightVirtual, contract.RightPhysical},
	"remote":   {contract.RightRead, contract.RightLease, contract.RightVirtual},
	"member":   {contract.RightRead, contract.RightLease, contract.RightVirtual},
	"stranger": {contract.RightRead},
}

// usersOfTheMachine makes them, and has them come.
func usersOfTheMachine(t *testing.T) {
	t.Helper()
	for _, name := range []string{"remote", "member", "stranger"} {
		asRoot(t, "useradd", "-m", "-s", "/bin/bash", name)
	}
	for _, name := range []string{"tester", "remote", "member"} {
		asRoot(t, "gpasswd", "--add", name, "authbridge") // as the package says
	}
	atSeat(t, "tester", 1)
	overSSH(t, "remote")
}

// atSeat begins a session at one of the machine's own screens.
func atSeat(t *testing.T, name string, screen int) {
	t.Helper()
	unit := fmt.Sprintf("seat%d", screen)
	asRoot(t, "systemd-run", "--quiet", "--unit="+unit, "-p", "PAMName=login", "-p", "User="+name,
		"-p", fmt.Sprintf("TTYPath=/dev/tty%d", screen), "-p", "StandardInput=tty",
		"-E", "XDG_SEAT=seat0", "-E", fmt.Sprintf("XDG_VTNR=%d", screen), "-E", "XDG_SESSION_TYPE=tty", "sleep", "infinity")
	t.Cleanup(func() { asRoot(t, "systemctl", "stop", unit+".service") })
	until(t, name+" has a session", func() bool {
		out, _ := exec.Command("loginctl", "--no-legend", "list-sessions").Output()
		return strings.Contains(string(out), fmt.Sprintf(" tty%d ", screen))
	})
}

// until waits for something that comes by itself.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for late := time.Now().Add(patience); !is(); {
		if time.Now().After(late) {
			t.Fatalf("it does not come: %s", what)
		}
	}
}

// sshKey is the key that remote is let in with.
const sshKey = "/root/story-key"

// overSSH begins a session over the network.
func overSSH(t *testing.T, name string) {
	t.Helper()
	asRoot(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", sshKey)
	asRoot(t, "install", "-D", "-m", "600", "-o", name, sshKey+".pub", "/home/"+name+"/.ssh/authorized_keys")
	asRoot(t, "chown", "-R", name, "/home/"+name+"/.ssh")
	asRoot(t, "systemctl", "start", "ssh.service")
	session := ssh(name, "sleep", "infinity")
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = session.Process.Kill()
		_ = session.Wait()
		asRoot(t, "systemctl", "stop", "ssh.service")
	})
}

func ssh(name string, command ...string) *exec.Cmd {
	return exec.Command("ssh", append([]string{
		"-q", "-i", sshKey, "-o", "StrictHostKeyChecking=no", "-o", "ConnectionAttempts=30", name + "@127.0.0.1",
	}, command...)...)
}

// asker asks the system service as a user: the kernel keeps the credentials of the
// thread that connects.
type asker struct {
	t    *testing.T
	http *http.Client
}

func asks(t *testing.T, name string) *asker {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return dialAs(uid) }}
	t.Cleanup(transport.CloseIdleConnections)
	return &asker{t, &http.Client{Transport: transport}}
}

func dialAs(uid int) (conn net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with us
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
			err = errno
			return
		}
		conn, err = net.Dial("unix", machineSocket)
	}()
	<-done
	return conn, err
}

// ask returns the status of the answer and the code of a failure; an answer that
// goes on is left.
func (a *asker) ask(method, path, body string) (status int, code string) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1"+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if method != http.MethodGet {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := a.http.Do(request)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = answer.Body.Close() }()
	var problem struct{ Code string }
	if answer.StatusCode >= http.StatusBadRequest {
		_ = json.NewDecoder(answer.Body).Decode(&problem)
	}
	return answer.StatusCode, problem.Code
}

// row is a route with the right that it asks.
type row struct {
	method, path string
	rights       []contract.Right // one of them
}

// routes are those of the daemon, as it documents them.
func (a *asker) routes() (rows []row) {
	a.t.Helper()
	answer, err := a.http.Get("http://127.0.0.1/openapi.json")
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var document struct {
		Paths map[string]map[string]struct{ Description string }
	}
	text, err := io.ReadAll(answer.Body)
	if err == nil {
		err = json.Unmarshal(text, &document)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	asked := regexp.MustCompile(`(?:^Right: |over the local socket or pipe )([a-z]+)`)
	for _, path := range slices.Sorted(maps.Keys(document.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(document.Paths[path])) {
			r := row{method: strings.ToUpper(method), path: regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(path, "none")}
			for _, right := range asked.FindAllStringSubmatch(document.Paths[path][method].Description, -1) {
				r.rights = append(r.rights, contract.Right(right[1]))
			}
			rows = append(rows, r)
		}
	}
	if len(rows) < 40 {
		a.t.Fatalf("the daemon has %d routes", len(rows))
	}
	return rows
}

// eachWalksTheTable asks each route as each user. A body that is refused for what
// is in it has come past the rights.
func eachWalksTheTable(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(rightsOf)) {
		a := asks(t, name)
		let := 0
		for _, r := range a.routes() {
			body := ""
			if r.method != http.MethodGet && r.method != http.MethodDelete {
				body = `{"nonsense": true}`
			}
			may := slices.ContainsFunc(r.rights, func(right contract.Right) bool { return slices.Contains(rightsOf[name], right) })
			status, code := a.ask(r.method, r.path, body)
			if refused := status == http.StatusForbidden && code == "FORBIDDEN"; refused == may || status == http.StatusUnauthorized {
				t.Errorf("%s: %s %s, which asks %s: %d %s", name, r.method, r.path, r.rights, status, code)
			}
			if may {
				let++
			}
		}
		t.Logf("%s: let in to %d routes", name, let)
	}
}

// physicalLease is a lease that asks the right physical.
const physicalLease = `{"aal": 3, "target": "mock", "origin": "physical"}`

// lending is what a user hears who wants a physical authenticator.
func (a *asker) lending() (code string) {
	a.t.Helper()
	_, code = a.ask(http.MethodPost, "/v1/leases", physicalLease)
	return code
}

// hears waits until that is as wanted.
func (a *asker) hears(what string, wanted func(code string) bool) {
	a.t.Helper()
	until(a.t, what, func() bool { return wanted(a.lending()) })
}

const noPhysical, forbidden = "PHYSICAL_RIGHT", "FORBIDDEN"

func mayPhysical(code string) bool { return code != noPhysical && code != forbidden }

// rightsByWhoTheyAre is the story of the users of a machine with the system
// service.
func rightsByWhoTheyAre(t *testing.T) {
	usersOfTheMachine(t)
	asks(t, "tester").hears("at the seat", mayPhysical)
	t.Run("by route", eachWalksTheTable)
	t.Run("physical is for root and for the member at the seat", func(t *testing.T) {
		for name, want := range map[string]string{"remote": noPhysical, "member": noPhysical, "stranger": forbidden} {
			if got := asks(t, name).lending(); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		if got := asks(t, "root").lending(); !mayPhysical(got) {
			t.Errorf("root: %s", got)
		}
	})
	t.Run("by the commands, over SSH", func(t *testing.T) {
		out, err := ssh("remote", "authbridge", "lease", "--aal", "3", "--target", "mock", "--", "printenv", "AUTHBRIDGE_LEASE").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "lease-") {
			t.Errorf("a virtual one: %v\n%s", err, out)
		}
	})
	t.Run("who is switched away from the seat loses physical, and has it again", func(t *testing.T) {
		a := asks(t, "tester")
		atSeat(t, "stranger", 2)
		asRoot(t, "busybox", "chvt", "2")
		a.hears("switched away", func(code string) bool { return code == noPhysical })
		asRoot(t, "busybox", "chvt", "1")
		a.hears("back", mayPhysical)
	})
	t.Run("who leaves the group loses all but read, and so do their tokens", leavesTheGroup)
}

// leavesTheGroup: tokens have what their user has, and no more.
func leavesTheGroup(t *testing.T) {
	p := as(t, "member")
	out := p.does("authbridge", "token", "create", "members", "--rights", "read,lease", "--json")
	var token contract.NewToken
	if err := json.Unmarshal([]byte(out), &token); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	byToken := func() (status int) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:17823/v1/leases", strings.NewReader(`{"nonsense": true}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+token.Secret)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	if status := byToken(); status != http.StatusBadRequest { // past the rights
		t.Errorf("by token, in the group: %d", status)
	}
	asRoot(t, "gpasswd", "--delete", "member", "authbridge")
	asks(t, "member").hears("out of the group", func(code string) bool { return code == forbidden })
	if status := byToken(); status != http.StatusForbidden {
		t.Errorf("by token, out of the group: %d", status)
	}
	if status, _ := asks(t, "member").ask(http.MethodGet, "/v1/status", ""); status != http.StatusOK {
		t.Errorf("to read: %d", status)
	}
}
