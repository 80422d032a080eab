package nhs

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

// put writes a file below a root.
func put(t *testing.T, root, path, text string) {
	t.Helper()
	file := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRulesOfBrowsersOnLinux(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if got := linuxPolicies(root); got.Unknown != "" || len(got.Is) > 0 {
		t.Errorf("no rules are %+v", got)
	}
	put(t, root, "etc/opt/chrome/policies/managed/a.json", `{"BlockThirdPartyCookies":true}`)
	put(t, root, "etc/opt/chrome/policies/managed/b.json", `{"BlockThirdPartyCookies":false}`)
	put(t, root, "etc/chromium/policies/managed/a.json", `{"LocalNetworkAccessBlockedForUrls":["*"]}`)
	want := []Policy{{"Chromium", "LocalNetworkAccessBlockedForUrls", BlocksAll}}
	if got := linuxPolicies(root); got.Unknown != "" || !reflect.DeepEqual(got.Is, want) {
		t.Errorf("%+v", got)
	}
	put(t, root, "etc/opt/edge/policies/managed/a.json", `{`)
	if got := linuxPolicies(root); !strings.Contains(got.Unknown, "rules of Edge") {
		t.Errorf("a broken file is %+v", got)
	}
}

// TestAPipeInTheFolderOfRulesIsNotWaitedFor: a look is never held up.
func TestAPipeInTheFolderOfRulesIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	put(t, root, "etc/chromium/policies/managed/a.json", `{}`)
	if err := syscall.Mkfifo(filepath.Join(root, "etc/chromium/policies/managed/b.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := linuxPolicies(root); got.Unknown == "" {
		t.Errorf("%+v", got)
	}
}

// TestALookOnLinux: what does not exist here is unknown, with the reason.
func TestALookOnLinux(t *testing.T) {
	t.Parallel()
	f := Looker{Listen: "127.0.0.1:17823"}.Look(t.Context())
	for name, why := range map[string]string{
		"Windows": f.Windows.Unknown, "service": f.Service.Unknown, "programs": f.Programs.Unknown, "gateway": f.Gateway.Unknown,
		"PIV": f.PIVDriver.Unknown, "Oberthur": f.Oberthur.Unknown, "power": f.Power.Unknown, "chip": f.Chip.Unknown,
	} {
		if why != notHere {
			t.Errorf("%s: %q", name, why)
		}
	}
	if f.At.IsZero() || f.Port.Own != "17823" {
		t.Errorf("%+v", f)
	}
}
