//go:build linux && e2e

package kernel_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// person is a user of the guest whose own services run.
type person struct {
	t      *testing.T
	user   *user.User
	cred   syscall.Credential
	config string
}

// somebody is the user tester with the program, and with systemd's manager of
// their services. There is no session: a linger would start it alike.
func somebody(t *testing.T) *person {
	t.Helper()
	p := tester(t)
	// A program on the host's folder takes ten seconds to be read in.
	shared, err := exec.LookPath("authbridge")
	if err != nil {
		t.Fatal(err)
	}
	asRoot(t, "install", shared, filepath.Join(programs, "authbridge"))
	t.Cleanup(func() { _ = os.Remove(filepath.Join(programs, "authbridge")) })
	asRoot(t, "systemctl", "start", "user@"+p.user.Uid+".service")
	return p
}

// tester is the user tester, of whom nothing is left after the test.
func tester(t *testing.T) *person {
	t.Helper()
	u, err := user.Lookup("tester")
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, user: u, cred: syscall.Credential{Uid: number(t, u.Uid), Gid: number(t, u.Gid)}}
	p.config = filepath.Join(u.HomeDir, ".config", "authbridge", "config.toml")
	t.Cleanup(func() {
		asRoot(t, "systemctl", "stop", "user@"+u.Uid+".service")
		for _, left := range []string{".config", ".local"} {
			_ = os.RemoveAll(filepath.Join(u.HomeDir, left))
		}
	})
	return p
}

// in is the person in a part of a test.
func (p *person) in(t *testing.T) *person {
	same := *p
	same.t = t
	return &same
}

func asRoot(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// programs is the folder of programs of the guest's own.
const programs = "/usr/local/bin"

// command makes a command the person's.
func (p *person) command(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = p.user.HomeDir
	cmd.Env = []string{"HOME=" + p.user.HomeDir, "PATH=" + programs + ":/usr/bin:/bin", "XDG_RUNTIME_DIR=/run/user/" + p.user.Uid}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &p.cred}
	return cmd
}

// run runs a program as the person does, and returns what it wrote and its exit
// code.
func (p *person) run(name string, args ...string) (out string, code int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := p.command(exec.CommandContext(ctx, "env", append([]string{name}, args...)...))
	text, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// does is run for what must succeed.
func (p *person) does(name string, args ...string) string {
	p.t.Helper()
	out, code := p.run(name, args...)
	if code != 0 {
		journal, _ := exec.Command("journalctl", "--no-pager", "-n", "40", "_UID="+p.user.Uid).CombinedOutput()
		p.t.Fatalf("%s %s: exit code %d\n%s\n%s", name, strings.Join(args, " "), code, out, journal)
	}
	return out
}

// service is what `service status --json` says.
type service struct {
	Installed, Enabled, Running, Answers bool
	Restarts                             int
	Unit                                 string
}

func (p *person) service() (s service) {
	p.t.Helper()
	out, _ := p.run("authbridge", "service", "status", "--json")
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
	return s
}

func (p *person) mainPID() int {
	p.t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(p.does("systemctl", "--user", "show", "-p", "MainPID", "--value", "authbridge")))
	if err != nil || pid == 0 {
		p.t.Fatalf("the service has no process: %d, %v", pid, err)
	}
	return pid
}

// configure writes the configuration as the person does.
func (p *person) configure(text string) {
	p.t.Helper()
	folder := filepath.Dir(p.config)
	p.does("mkdir", "-p", folder)
	if err := os.WriteFile(p.config, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
	for _, path := range []string{folder, p.config} {
		if err := os.Chown(path, int(p.cred.Uid), int(p.cred.Gid)); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *person) logSays(words string) {
	p.t.Helper()
	late := time.Now().Add(patience)
	for {
		out, _ := exec.Command("journalctl", "--no-pager", "-b", "_UID="+p.user.Uid, "_COMM=authbridge").CombinedOutput()
		if strings.Contains(string(out), words) {
			return
		}
		if time.Now().After(late) {
			p.t.Fatalf("the journal does not say %q:\n%s", words, out)
		}
	}
}

// TestAServiceOfOnesOwn is its whole life: installed, killed, given another
// configuration and a wrong one, stopped and taken away.
func TestAServiceOfOnesOwn(t *testing.T) {
	p := somebody(t)
	if s := p.service(); s.Installed || s.Running || s.Answers {
		t.Fatalf("before: %+v", s)
	}
	if out, code := p.run("authbridge", "service", "start"); code != 4 || !strings.Contains(out, "SERVICE_NOT_INSTALLED") {
		t.Errorf("start of none: exit code %d\n%s", code, out)
	}
	p.does("authbridge", "service", "install")
	s := p.service()
	if !s.Installed || !s.Enabled || !s.Running || !s.Answers || s.Unit == "" {
		t.Fatalf("installed: %+v", s)
	}
	if out := p.does("systemd-analyze", "--user", "--man=no", "verify", s.Unit); strings.TrimSpace(out) != "" {
		t.Errorf("the unit: %s", out)
	}
	p.does("authbridge", "ready", "--aal", "3", "--target", "mock", "--wait", "20s") // the virtual ones are there
	p.logSays("started")

	t.Run("killed, it is back within five seconds", func(t *testing.T) {
		p := p.in(t)
		pid := p.mainPID()
		began := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for !p.service().Answers {
			if time.Since(began) > patience {
				t.Fatal("it does not come back")
			}
		}
		t.Logf("it answers again after %s", time.Since(began).Round(time.Millisecond))
		if again := p.mainPID(); again == pid {
			t.Error("it is the same process")
		}
	})
	t.Run("a new configuration is taken by the same process", func(t *testing.T) {
		p := p.in(t)
		pid := p.mainPID()
		p.configure("virtual = \"off\"\nlisten = \"127.0.0.1:17955\"\n")
		p.does("systemctl", "--user", "reload", "authbridge")
		p.logSays(`address="127.0.0.1:17955"`)
		if again := p.mainPID(); again != pid {
			t.Errorf("process %d was %d", again, pid)
		}
		if out, code := p.run("authbridge", "virtual"); code != 4 || !strings.Contains(out, "VIRTUAL_OFF") {
			t.Errorf("virtual devices are still on: exit code %d\n%s", code, out)
		}
	})
	t.Run("a wrong one changes nothing, and is told", func(t *testing.T) {
		p := p.in(t)
		pid := p.mainPID()
		p.configure("virtual = \"perhaps\"\n")
		p.does("systemctl", "--user", "reload", "authbridge")
		p.logSays("the configuration is not taken")
		if again := p.mainPID(); again != pid || !p.service().Answers {
			t.Errorf("process %d was %d", again, pid)
		}
	})
	t.Run("it does not start over and over with a wrong one", func(t *testing.T) {
		p := p.in(t)
		if _, code := p.run("authbridge", "service", "restart"); code == 0 {
			t.Error("restarted with a configuration that cannot be used")
		}
		if s := p.service(); s.Running || s.Restarts > 1 {
			t.Errorf("%+v", s)
		}
		p.configure("")
		p.does("authbridge", "service", "start")
	})
	t.Run("with a damaged database it does not start, and why is told until it does", func(t *testing.T) {
		p := p.in(t)
		p.does("authbridge", "service", "stop")
		database := filepath.Join(p.user.HomeDir, ".local/state/authbridge/authbridge.db")
		whole, err := os.ReadFile(database)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(database, make([]byte, 9000), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, code := p.run("authbridge", "service", "start"); code == 0 {
			t.Error("it started")
		}
		for _, verb := range [][]string{{"service", "status"}, {"doctor"}} {
			// While it is tried again nothing is known yet.
			for began := time.Now(); ; {
				out, code := p.run("authbridge", verb...)
				if code == 1 && strings.Contains(out, "authbridge.db") && strings.Contains(out, "Move the file that the detail") {
					break
				}
				if time.Since(began) > patience {
					t.Fatalf("%v: exit code %d\n%s", verb, code, out)
				}
			}
		}
		if err := os.WriteFile(database, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		p.does("authbridge", "service", "start")
		if out, _ := p.run("authbridge", "doctor"); strings.Contains(out, "authbridge.db") {
			t.Errorf("doctor still says\n%s", out)
		}
	})
	t.Run("installed over a running one, it runs", func(t *testing.T) {
		p := p.in(t)
		p.does("authbridge", "service", "install")
		if s := p.service(); !s.Running || !s.Answers {
			t.Errorf("%+v", s)
		}
	})
	t.Run("stopped within five seconds with a ceremony under way", func(t *testing.T) {
		p := p.in(t)
		p.configure("virtual = \"on\"\n")
		p.does("authbridge", "service", "restart")
		p.does("authbridge", "virtual", "unplug", "virtual-key-1")
		p.does("authbridge", "virtual", "plug", "virtual-key-1", "--touch", "never")
		p.does("authbridge", "ready", "--aal", "3", "--target", "mock", "--kind", "security-key", "--wait", "20s")
		ended := p.waitsForATouch()
		began := time.Now()
		p.does("authbridge", "service", "stop")
		t.Logf("stopped after %s", time.Since(began).Round(time.Millisecond))
		if out := <-ended; !strings.Contains(out, "\n  → ") {
			t.Errorf("who waited for the ceremony was told:\n%s", out)
		}
		if out := p.does("systemctl", "--user", "show", "-p", "Result", "--value", "authbridge"); strings.TrimSpace(out) != "success" {
			t.Errorf("it ended with %s", out)
		}
		if s := p.service(); s.Running || s.Answers || !s.Installed {
			t.Errorf("%+v", s)
		}
	})
	t.Run("uninstalled, it leaves state and configuration and nothing else", func(t *testing.T) {
		p := p.in(t)
		p.does("authbridge", "service", "uninstall")
		if s := p.service(); s.Installed || s.Enabled {
			t.Errorf("%+v", s)
		}
		out := p.does("find", ".config", ".local", "-name", "*authbridge*")
		want := ".config/authbridge\n.local/state/authbridge\n"
		if got := strings.ReplaceAll(out, ".local/state/authbridge/authbridge.sock\n", ""); !sameLines(got, want) {
			t.Errorf("left are:\n%s", out)
		}
		if out, code := p.run("authbridge", "service", "uninstall"); code != 4 || !strings.Contains(out, "SERVICE_NOT_INSTALLED") {
			t.Errorf("again: exit code %d\n%s", code, out)
		}
	})
}

// waitsForATouch begins a ceremony that no one will touch the key for, and
// returns once it asks for that. What its command says in the end comes later.
func (p *person) waitsForATouch() (ended <-chan string) {
	p.t.Helper()
	script := `cd "$(mktemp -d)"
cat >options <<'END'
{"rp": {"id": "localhost", "name": "Demo"}, "user": {"id": "dXNlci0x", "name": "ada", "displayName": "Ada"},
  "challenge": "Y2hhbGxlbmdlLTEyMzQ1Ng", "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
  "authenticatorSelection": {"userVerification": "required"}}
END
exec authbridge ceremony create --kind security-key --origin http://localhost:3000 --options options --pin-stdin 2>&1 <<'END'
123456
END`
	cmd := p.command(exec.Command("bash", "-c", script))
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	said := ""
	for !strings.Contains(said, "Touch") {
		if !lines.Scan() {
			_ = cmd.Wait()
			p.t.Fatalf("the ceremony did not come to a touch:\n%s", said)
		}
		said += lines.Text() + "\n"
	}
	all := make(chan string, 1)
	go func() {
		for lines.Scan() {
			said += lines.Text() + "\n"
		}
		_ = cmd.Wait()
		all <- said
	}()
	return all
}

func sameLines(a, b string) bool {
	set := func(s string) map[string]bool {
		all := map[string]bool{}
		for line := range strings.Lines(s) {
			all[strings.TrimSpace(line)] = true
		}
		return all
	}
	x, y := set(a), set(b)
	for line := range x {
		if !y[line] && !strings.HasPrefix(line, ".local/state/authbridge/") {
			return false
		}
	}
	return len(y) > 0
}
