package ceremony

import (
	"strconv"

	"authbridge/agent/contract"
	"authbridge/agent/lease"
)

// The sentences that a person is shown. A name is as the inventory gives it:
// card 4f2a, virtual key 3c11.

func insertPrompt(g *lease.Grant) *contract.Prompt {
	text := "Plug " + g.Authenticator.Name + " in again"
	if g.Authenticator.Kind == contract.Smartcard {
		text = "Put " + g.Authenticator.Name + " back into its reader"
	}
	return &contract.Prompt{Kind: "insert", Text: text + purpose(g)}
}

func pinPrompt(g *lease.Grant, ask pinAsk) *contract.Prompt {
	return &contract.Prompt{
		Kind: "pin", Text: "Enter the PIN of " + g.Authenticator.Name + purpose(g),
		TriesLeft: ask.tries, Again: ask.again,
	}
}

func touchPrompt(g *lease.Grant) *contract.Prompt {
	return &contract.Prompt{Kind: "touch", Text: "Touch " + g.Authenticator.Name + ", which blinks" + purpose(g)}
}

// longestProgram bounds the name of a program, which is any file's, in characters.
const longestProgram = 40

// asker says who began a ceremony under a lease. A lease's own token is used for
// its holder. The name of a program is quoted: it could be called token ci.
func asker(by lease.Caller, holder contract.Owner) string {
	who, joint := by.Owner, " of "
	switch {
	case by.Lease != "":
		who, joint = holder, ", for "
	case by.TokenID != "": // which any user's program may have
		joint = ", with "
	}
	text := who.Name
	if who.TokenID != "" && who.UserID != "" {
		text += " of user " + who.UserID
	}
	if by.Program == "" {
		return text
	}
	program := []rune(by.Program)
	if len(program) > longestProgram {
		program = append(program[:longestProgram-1], '…')
	}
	return "program " + strconv.Quote(string(program)) + joint + text
}

// rpID is the relying party of a ceremony; a card signature has none.
func (a *act) rpID() string {
	switch {
	case a.creation != nil:
		return a.creation.RPID
	case a.get != nil:
		return a.get.RPID
	}
	return ""
}

func purpose(g *lease.Grant) string {
	if g.Purpose == "" {
		return ""
	}
	return ", for " + g.Purpose
}

// sentence says for everybody how far a ceremony has come.
func sentence(c *contract.Ceremony) string {
	text := c.Name + ": " + string(c.Type) + " "
	switch c.State {
	case contract.CeremonyQueued:
		text += "begins"
	case contract.CeremonyInsert:
		text += "waits for it to be put back"
	case contract.CeremonyPIN:
		text += "waits for a PIN"
	case contract.CeremonyTouch:
		text += "waits for a touch"
	case contract.CeremonyRunning:
		text += "is under way"
	case contract.CeremonyDone:
		text += "is done"
	case contract.CeremonyFailed:
		text += "failed"
	case contract.CeremonyCancelled:
		text += "was cancelled"
	case contract.CeremonyTimedOut:
		text += "took too long"
	}
	if c.Problem != nil && c.Problem.Detail != "" {
		text += ": " + c.Problem.Detail
	}
	return text
}
