package virtual

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"authbridge/agent/contract"
)

// free is the name of the first device of a kind that is not plugged in and has
// no faults, which would surprise who did not ask for it by name, or of a new
// one.
func (d *Devices) free(kind contract.Kind) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var idle []string
	for name, dev := range d.devices {
		if name.kind == kind && !dev.plugged() && !dev.record.Plugged && len(dev.record.Faults) == 0 {
			idle = append(idle, name.name)
		}
	}
	if len(idle) > 0 {
		return slices.MinFunc(idle, compareNames)
	}
	for n := 1; ; n++ {
		name := fmt.Sprintf("virtual-%s-%d", word(kind), n)
		if d.devices[id{kind, name}] == nil && d.alike(id{kind, name}) == "" {
			return name
		}
	}
}

// alike says which device keeps a new one from this name: readers and keys share
// their names, and a file system may not tell capital letters. Empty: none. The
// lock is held.
func (d *Devices) alike(name id) string {
	for other := range d.devices {
		switch {
		case other == name || !strings.EqualFold(other.name, name.name):
		case other.name == name.name:
			return "there is a virtual " + word(other.kind) + " of this name"
		default:
			return "there is the virtual " + word(other.kind) + " " + other.name + ", which only capital letters tell apart"
		}
	}
	return ""
}

// compareNames sorts reader-2 before reader-10.
func compareNames(a, b string) int {
	ah, an := number(a)
	bh, bn := number(b)
	return cmp.Or(cmp.Compare(ah, bh), cmp.Compare(an, bn), cmp.Compare(a, b))
}

func number(name string) (head string, n int) {
	head = strings.TrimRight(name, "0123456789")
	n, _ = strconv.Atoi(name[len(head):]) // without digits it is the first
	return head, n
}

// firstUser is the user of the default card. Test users begin with 5552 or
// 5553.
const firstUser = "555200000001"

// freeUser takes the first user whose card is no reader's, for a device that
// the caller holds.
func (d *Devices) freeUser(taker *device) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	taken := make(map[string]bool)
	for _, dev := range d.devices {
		taken[dev.record.User] = true
	}
	first, _ := strconv.ParseUint(firstUser, 10, 64) // digits
	for n := first; ; n++ {
		if user := strconv.FormatUint(n, 10); !taken[user] {
			taker.record.User = user
			return user
		}
	}
}

// holders are made-up names, none of them an ordinary word: what masks names
// in texts would mask the word everywhere.
var holders = [...][2]string{
	{"Okonkwo", "Adaeze"},
	{"Lindqvist", "Britta"},
	{"Farrukhzad", "Cyrus"},
	{"Szymborska", "Danuta"},
	{"Villanueva", "Esteban"},
	{"MacGillivray", "Fiona"},
	{"Takahashi", "Goro"},
	{"Bhattacharya", "Hema"},
}

// nameOf makes the holder of a card; the same user gets the same name.
func nameOf(user string) (surname, forename string) {
	sum := 0
	for _, digit := range user {
		sum = sum*7 + int(digit-'0')
	}
	h := holders[sum%len(holders)]
	return h[0], h[1]
}
