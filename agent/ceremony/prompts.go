package ceremony

import (
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
