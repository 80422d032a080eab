package virtual

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/fido/vkey"
	"authbridge/pcsc/vcard"
)

func bad(field, detail string) error {
	return &failure.Error{Code: failure.BadRequest, Field: field, Detail: detail}
}

// form is compiled at its first use: every command of the program would wait
// for it otherwise.
func form(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

var (
	nameForm = form(`^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$`)
	userForm = form(`^[0-9]{12}$`)
	swForm   = form(`^[0-9A-Fa-f]{4}$`)
)

// validName reports whether a name can be that of a device: it becomes part of
// a path, a URL and a product string.
func validName(name string) bool { return nameForm().MatchString(name) }

const nameAllowed = "allowed: 1 to 40 letters, digits, dots, dashes and underscores, a letter or digit first"

func checkInsert(in contract.VirtualInsert) error {
	switch {
	case in.Name != "" && !validName(in.Name):
		return bad("body.name", nameAllowed)
	case in.User != "" && !userForm().MatchString(in.User):
		return bad("body.user", "allowed: 12 digits")
	case in.VPCD != "" && !in.PCSCD:
		return bad("body.vpcd", "only with pcscd true")
	case !loopback(vpcdAddress(in.VPCD)):
		return bad("body.vpcd", "allowed: an address of this machine, such as "+vcard.VPCDAddr)
	}
	_, err := cardFaults(in.Faults, "body.faults")
	return err
}

func checkPlug(in contract.VirtualPlug) error {
	switch {
	case in.Name != "" && !validName(in.Name):
		return bad("body.name", nameAllowed)
	case !slices.Contains([]string{"", "auto", "command", "never"}, in.Touch):
		return bad("body.touch", "allowed: auto, command, never")
	}
	_, err := keyFaults(in.Faults, "body.faults")
	return err
}

func vpcdAddress(address string) string {
	if address == "" {
		return vcard.VPCDAddr
	}
	return address
}

// loopback keeps the daemon from dialling into a network for a caller.
func loopback(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// maxDelay bounds the fault slow.
const maxDelay = 10 * time.Minute

// faultNames are the faults that a kind of device has.
func faultNames(kind contract.Kind) []string {
	if kind == contract.Smartcard {
		return texts(vcard.FaultNames())
	}
	return texts(vkey.FaultNames[:])
}

func texts[T ~string](list []T) []string {
	all := make([]string, len(list))
	for i, one := range list {
		all[i] = string(one)
	}
	return all
}

// cardFaults puts faults into the words of the card. field is where they stand
// in the request.
func cardFaults(faults []contract.Fault, field string) ([]vcard.Fault, error) {
	names := faultNames(contract.Smartcard)
	all := make([]vcard.Fault, 0, len(faults))
	for i, f := range faults {
		at := fmt.Sprintf("%s[%d]", field, i)
		delay, err := checkFault(f, names, at)
		if err != nil {
			return nil, err
		}
		one := vcard.Fault{Name: vcard.FaultName(f.Name), Delay: delay}
		switch {
		case one.Name != vcard.FaultSW && f.SW != "":
			return nil, bad(at+".sw", "only the fault sw has a status word")
		case one.Name == vcard.FaultSW && (!swForm().MatchString(f.SW) || f.SW[0] != '6' && f.SW[0] != '9'):
			return nil, bad(at+".sw", "allowed: four hex digits, 6xxx or 9xxx")
		case one.Name == vcard.FaultSW:
			sw, _ := strconv.ParseUint(f.SW, 16, 16) // the form was checked
			one.SW = uint16(sw)
		}
		all = append(all, one)
	}
	return all, nil
}

// keyFaults puts faults into the words of the key.
func keyFaults(faults []contract.Fault, field string) ([]vkey.Fault, error) {
	names := faultNames(contract.SecurityKey)
	all := make([]vkey.Fault, 0, len(faults))
	for i, f := range faults {
		at := fmt.Sprintf("%s[%d]", field, i)
		delay, err := checkFault(f, names, at)
		if err != nil {
			return nil, err
		}
		if f.SW != "" {
			return nil, bad(at+".sw", "a key has no status words")
		}
		all = append(all, vkey.Fault{Name: vkey.FaultName(f.Name), Delay: delay})
	}
	return all, nil
}

// checkFault checks the name and delay of a fault.
func checkFault(f contract.Fault, names []string, at string) (time.Duration, error) {
	if !slices.Contains(names, f.Name) {
		return 0, bad(at+".name", "allowed: "+strings.Join(names, ", "))
	}
	if f.Name != "slow" {
		if f.Delay != "" {
			return 0, bad(at+".delay", "only the fault slow has a delay")
		}
		return 0, nil
	}
	delay, err := time.ParseDuration(f.Delay)
	if err != nil || delay <= 0 || delay > maxDelay {
		return 0, bad(at+".delay", "allowed: a duration such as 2s, at most "+maxDelay.String())
	}
	return delay, nil
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
