package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"authbridge/agent/contract"
)

// prompts are the ceremonies that need somebody. One that waits for a PIN which
// this user may give can be clicked.
func (w *world) prompts(now time.Time) []entry {
	var list []entry
	for _, c := range w.waiting() {
		e := entry{text: w.ask(c) + left(now, c.Deadline)}
		if asksPIN(c) {
			e.action = action{enterPIN, c.ID}
		}
		list = append(list, e)
	}
	return list
}

// asksPIN is whether a ceremony waits for a PIN from this user: the prompt is
// told to the lease's owner alone.
func asksPIN(c contract.Ceremony) bool {
	return c.State == contract.CeremonyPIN && c.Prompt != nil
}

// ask is the sentence of a ceremony that needs somebody. Of one of another owner
// only what all may know is there.
func (w *world) ask(c contract.Ceremony) string {
	if c.Prompt != nil {
		if c.Prompt.Again {
			return "That PIN was wrong. " + c.Prompt.Text
		}
		return c.Prompt.Text
	}
	who := w.asker(c)
	switch c.State {
	case contract.CeremonyInsert:
		return "Put " + c.Name + " back, for " + who
	case contract.CeremonyPIN:
		return "PIN of " + c.Name + ", to be entered by " + who
	default:
		return "Touch " + c.Name + ", for " + who
	}
}

// asker is who asks for a ceremony, or of another owner's who holds its lease, and
// what for.
func (w *world) asker(c contract.Ceremony) string {
	l := w.leases[stem(c.Lease)]
	who := l.Holder
	if c.Prompt != nil {
		who = c.Prompt.Asker
	}
	switch {
	case who == "":
		return "a program of this machine"
	case l.Purpose != "":
		return who + " (" + l.Purpose + ")"
	}
	return who
}

// dialogText is what a person must know before they type a PIN: who asks, what
// for, where it goes, and what a wrong one costs.
func (w *world) dialogText(c contract.Ceremony) string {
	what := map[contract.CeremonyType]string{
		contract.CeremonyCreate: "makes a credential for " + c.Prompt.RPID, contract.CeremonyGet: "signs in to " + c.Prompt.RPID, contract.CeremonySign: "signs",
	}[c.Type]
	text := []string{
		fmt.Sprintf("%s asks for the PIN of %s.", sentenceCase(w.asker(c)), c.Name),
		fmt.Sprintf("With it, it %s at %s.", what, c.Target),
	}
	if c.Origin == contract.Virtual {
		text = append(text, "It is a virtual authenticator: do not enter the PIN of a real one.")
	}
	if n := c.Prompt.TriesLeft; n != nil {
		text = append(text, fmt.Sprintf("%s left.", plural(*n, "try is", "tries are")))
	} else {
		text = append(text, "How many tries are left is not known.")
	}
	for i, t := range text {
		text[i] = sentence(t)
	}
	return strings.Join(text, "\n")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func sentenceCase(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

// left is the time to a deadline as people say it, never less than nothing.
func left(now, deadline time.Time) string {
	if deadline.IsZero() {
		return ""
	}
	return fmt.Sprintf(", %d s left", max(0, int((deadline.Sub(now)+time.Second-1)/time.Second)))
}

// patience is how long something must wait for a person before they are told: a
// virtual key is touched before.
const patience = time.Second

// due are the ceremonies that have waited for somebody for a while, with the
// sentence of each.
func (w *world) due(now time.Time) map[string]string {
	list := map[string]string{}
	for _, c := range w.waiting() {
		if n := len(c.Steps); n > 0 && now.Sub(c.Steps[n-1].At) >= patience {
			list[fmt.Sprintf("%s/%d", c.ID, n)] = w.ask(c)
		}
	}
	return list
}
