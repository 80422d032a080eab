//go:build linux && cgo

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"authbridge/agent/contract"
)

// Users of the tests: whose daemon it is, and the first of that user's subordinate
// ids, which a rootless container is made of (subuid(5)).
const (
	person = 54321
	subuid = 600000
)

// container is a kind of container, as far as the daemon can tell one: whose its
// processes are, and that it has a network and mounts of its own. What engines
// make of a picture is no matter here.
type container struct {
	name  string
	ids   []syscall.SysProcIDMap // of users and groups; nil: those outside
	user  int                    // inside
	ready int                    // exit code of authbridge ready over the socket
}

var (
	// What a rootless engine makes of the ids inside, by itself and where it is told
	// to keep the person's (podman-run(1), --userns=keep-id).
	rootless = []syscall.SysProcIDMap{{ContainerID: 0, HostID: person, Size: 1}, {ContainerID: 1, HostID: subuid, Size: 65535}}
	keepID   = []syscall.SysProcIDMap{{ContainerID: 0, HostID: subuid, Size: person}, {ContainerID: person, HostID: person, Size: 1}}
)

var containers = []container{
	{"of root's engine, with --user as the person", nil, person, 0},
	{"of root's engine, as root", nil, 0, 3},
	{"rootless, as its root", rootless, 0, 0},
	{"rootless, as another user", rootless, 1000, 3},
	{"rootless, keeping the person's id", keepID, person, 0},
}

// furnishContainer gives the process that becomes the container the folder of the
// socket, and then its user.
const furnishContainer = `set -e
folder=$1 user=$2; shift 2
mount --make-rprivate / && mount -t tmpfs none /run && mkdir /run/authbridge && mount --bind "$folder" /run/authbridge
exec setpriv --reuid "$user" --regid "$user" --clear-groups "$@"`

// run is a command in the container.
func (c container) run(x *troubled, folder string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command("sh", append([]string{"-c", furnishContainer, "sh", folder, fmt.Sprint(c.user)}, args...)...)
	cmd.Env = append([]string{"PATH=" + filepath.Dir(x.binary) + ":" + os.Getenv("PATH"), "HOME=/nowhere"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if c.ids != nil {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = c.ids, c.ids
		cmd.SysProcAttr.GidMappingsEnableSetgroups = true
		cmd.SysProcAttr.Credential = &syscall.Credential{}
	}
	return cmd
}

// inContainer runs it to its end.
func (x *troubled) inContainer(c container, folder string, env []string, args ...string) (out string, exit int) {
	x.t.Helper()
	cmd := c.run(x, folder, env, args...)
	said, _ := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		x.t.Fatalf("no container: %s", said)
	}
	return string(said), cmd.ProcessState.ExitCode()
}

// ofPerson starts the daemon of another user than the test's, and gives the folder
// with its socket in the usual place.
func ofPerson(t *testing.T) (x *troubled, folder string) {
	t.Helper()
	root(t)
	x = trouble(t)
	x.home = x.forOthers()
	for _, dir := range []string{"home", "run"} {
		must(t, os.Mkdir(filepath.Join(x.home, dir), 0o700))
		must(t, os.Chown(filepath.Join(x.home, dir), person, person))
	}
	x.env = append(x.env, "HOME="+filepath.Join(x.home, "home"), "XDG_RUNTIME_DIR="+filepath.Join(x.home, "run"))
	x.who = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: person, Gid: person}}
	x.state = "" // the usual one
	if s := x.start(); s.does != starts {
		t.Fatal(x.logged())
	}
	x.must("ready", "--aal", "3", "--target", "mock", "--kind", "smartcard", "--wait", "30s")
	return x, filepath.Join(x.home, "run/authbridge")
}

const overTheSocket = "AUTHBRIDGE_URL=unix:///run/authbridge/authbridge.sock"

// TestInAContainer: loopback is another one there; the daemon is reached by its
// socket, which is mounted, and by whoever is its user outside.
func TestInAContainer(t *testing.T) {
	x, folder := ofPerson(t)
	token, err := os.ReadFile(filepath.Join(x.home, "home/.local/state/authbridge/token"))
	must(t, err)
	challenge := filepath.Join(x.home, "challenge")
	must(t, os.WriteFile(challenge, []byte("challenge"), 0o644))
	ready := []string{"authbridge", "ready", "--aal", "3", "--target", "mock"}
	for _, c := range containers {
		t.Run(c.name, func(t *testing.T) {
			x := *x
			x.t = t
			if out, exit := x.inContainer(c, folder, []string{"AUTHBRIDGE_URL=http://" + x.address, "AUTHBRIDGE_TOKEN=" + string(token)}, ready...); exit != 3 || !strings.Contains(out, "NOT_RUNNING") {
				t.Errorf("by TCP: exit code %d\n%s", exit, out)
			}
			for _, env := range [][]string{{overTheSocket}, {overTheSocket, "AUTHBRIDGE_TOKEN=" + string(token)}, nil} { // nil: it is the usual place, too
				out, exit := x.inContainer(c, folder, env, ready...)
				if exit != c.ready || c.ready != 0 && !strings.Contains(out, "NOT_YOURS") {
					t.Errorf("over the socket, with %d variables: exit code %d, want %d\n%s", len(env), exit, c.ready, out)
				}
			}
			if c.ready != 0 {
				return
			}
			// What runs under a lease there speaks to the daemon with the lease's own
			// token, and uses the card.
			under := `echo $AUTHBRIDGE_URL; authbridge ready --aal 3 --target mock >&2 && echo 123456 | authbridge --json ceremony sign --pin-stdin --data ` + challenge
			cmd := c.run(&x, folder, []string{overTheSocket}, "authbridge", "lease", "--aal", "3", "--target", "mock", "--kind", "smartcard", "--wait", "30s", "--", "sh", "-c", under)
			var said strings.Builder
			cmd.Stderr = &said
			out, err := cmd.Output()
			url, rest, _ := strings.Cut(string(out), "\n")
			var signed contract.Ceremony
			if err != nil || "AUTHBRIDGE_URL="+url != overTheSocket || json.Unmarshal([]byte(rest), &signed) != nil || signed.State != contract.CeremonyDone {
				t.Errorf("under a lease: %v, %s\n%s", err, out, &said)
			}
		})
	}
	t.Run("past the clients, as another user", func(t *testing.T) {
		// Root may open the socket whoever's it is. The kernel still says who that is.
		there := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(folder, "authbridge.sock"))
		}}}
		defer there.CloseIdleConnections()
		for secret, want := range map[string]int{"": 403, string(token): 200, "authbridge_nobodys": 401} {
			ask, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/v1/status", nil)
			must(t, err)
			if secret != "" {
				ask.Header.Set("Authorization", "Bearer "+secret)
			}
			answer, err := there.Do(ask)
			must(t, err)
			must(t, answer.Body.Close())
			if answer.StatusCode != want {
				t.Errorf("a token of %d octets: status %d, want %d", len(secret), answer.StatusCode, want)
			}
		}
	})
	t.Run("with the network of the host", func(t *testing.T) {
		cmd := exec.Command(x.binary, ready[1:]...) // whoever it is, by the token
		cmd.Env = []string{"HOME=/nowhere", "AUTHBRIDGE_URL=http://" + x.address, "AUTHBRIDGE_TOKEN=" + string(token)}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	x.stop()
}

// TestAContainerOutlivesTheDaemon: the folder is mounted and not the socket in it,
// which each daemon makes anew.
func TestAContainerOutlivesTheDaemon(t *testing.T) {
	x, folder := ofPerson(t)
	cmd := containers[0].run(x, folder, []string{overTheSocket}, "sh", "-c", `while read -r _; do authbridge ready --aal 3 --target mock --wait 30s >/dev/null; echo $?; done`)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	answers := bufio.NewScanner(out)
	for _, before := range []func(){func() {}, func() { x.stop(); x.start() }, func() { must(t, x.daemon.Process.Kill()); _ = x.daemon.Wait(); x.start() }} {
		before()
		if _, err := io.WriteString(in, "\n"); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() || answers.Text() != "0" {
			t.Errorf("in the container it is %q", answers.Text())
		}
	}
	must(t, in.Close())
	must(t, cmd.Wait())
	x.stop()
}
