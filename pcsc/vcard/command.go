package vcard

import (
	"slices"

	"authbridge/pcsc/apdu"
)

// The instructions of SP 800-73-4 part 2, table 2, and ISO 7816-4.
const (
	insVerify              = 0x20
	insChangeReferenceData = 0x24
	insResetRetryCounter   = 0x2C
	insGenerateKeyPair     = 0x47
	insGeneralAuthenticate = 0x87
	insSelect              = 0xA4
	insGetResponse         = 0xC0
	insGetData             = 0xCB
	insPutData             = 0xDB

	insYubicoSerial  = 0xF8
	insYubicoVersion = 0xFD
)

const (
	headerLength = 4
	claChain     = 0x10 // not the last of a chain (ISO 7816-4, 5.4.1)
	maxChain     = 4096 // octets of data that a chain may add up to
)

// status is SW1-SW2.
type status uint16

// The status words of SP 800-73-4 part 2, table 6, and ISO 7816-4, 5.6.
const (
	swOK                     status = 0x9000
	swMore                   status = 0x6100 // SW2: octets still to be had
	swTries                  status = 0x63C0 // low nibble: tries left
	swMemoryFailure          status = 0x6581
	swWrongLength            status = 0x6700
	swNoLogicalChannel       status = 0x6881
	swNoSecureMessaging      status = 0x6882
	swLastOfChainExpected    status = 0x6883
	swNoChaining             status = 0x6884
	swSecurityNotSatisfied   status = 0x6982
	swBlocked                status = 0x6983
	swConditionsNotSatisfied status = 0x6985
	swWrongData              status = 0x6A80
	swNotFound               status = 0x6A82
	swWrongP1P2              status = 0x6A86
	swReferenceNotFound      status = 0x6A88
	swWrongLe                status = 0x6C00 // SW2: the right Le
	swNoInstruction          status = 0x6D00
	swNoClass                status = 0x6E00
)

func statusOnly(sw status) []byte { return []byte{byte(sw >> 8), byte(sw)} }

// chain is a command in several parts.
type chain struct {
	open        bool
	ins, p1, p2 byte
	data        []byte
}

// process answers a command APDU. The card is locked.
func (c *Card) process(raw []byte) []byte {
	s := &c.session
	if len(raw) < headerLength {
		return statusOnly(swWrongLength)
	}
	cmd, wellFormed := parse(raw)
	if cmd.INS != insGeneralAuthenticate {
		s.fresh = false
	}
	if sw := checkClass(cmd.CLA); sw != swOK {
		return statusOnly(sw)
	}
	if cmd.INS == insGetResponse {
		return c.getResponse(cmd)
	}
	s.pending = nil
	if !c.knows(cmd.INS) {
		s.chain = chain{}
		return statusOnly(swNoInstruction)
	}
	if !wellFormed {
		s.chain = chain{}
		return statusOnly(swWrongLength)
	}
	if sw, done := s.join(&cmd); done {
		return statusOnly(sw)
	}
	data, sw := c.execute(cmd)
	if sw != swOK {
		return statusOnly(sw)
	}
	return c.respond(cmd, data)
}

// parse takes a command APDU apart. The header is there even if the rest is not
// well formed, because a card looks at that first; raw has at least four octets.
func parse(raw []byte) (cmd apdu.Command, ok bool) {
	cmd, err := apdu.ParseCommand(raw)
	if err != nil {
		return apdu.Command{CLA: raw[0], INS: raw[1], P1: raw[2], P2: raw[3]}, false
	}
	return cmd, true
}

// checkClass refuses what these cards have not: secure messaging, logical
// channels, proprietary classes (ISO 7816-4, 5.4.1).
func checkClass(cla byte) status {
	switch {
	case cla == 0x00, cla == claChain:
		return swOK
	case cla&0xE0 == 0x00 && cla&0x0C != 0:
		return swNoSecureMessaging
	case cla&0xE0 == 0x00, cla&0xC0 == 0x40:
		return swNoLogicalChannel
	default:
		return swNoClass
	}
}

// knows reports whether the selected application has an instruction.
func (c *Card) knows(ins byte) bool {
	switch ins {
	case insSelect:
		return true
	case insVerify, insChangeReferenceData, insResetRetryCounter, insGenerateKeyPair,
		insGeneralAuthenticate, insGetData, insPutData:
		return c.session.app == appPIV
	case insYubicoSerial, insYubicoVersion:
		return c.profile.Yubico && c.session.app == appPIV
	}
	return false
}

// join collects the parts of a chained command (ISO 7816-4, 5.3.3). It is done
// with the command if that is not the end of one that is right so far.
func (s *session) join(cmd *apdu.Command) (sw status, done bool) {
	if s.chain.open && (cmd.INS != s.chain.ins || cmd.P1 != s.chain.p1 || cmd.P2 != s.chain.p2) {
		s.chain = chain{}
		return swLastOfChainExpected, true
	}
	if cmd.CLA&claChain == 0 && !s.chain.open {
		return swOK, false
	}
	// SP 800-73-4 part 2, table 2: the commands that may be chained.
	if cmd.INS != insGeneralAuthenticate && cmd.INS != insPutData {
		return swNoChaining, true
	}
	if len(s.chain.data)+len(cmd.Data) > maxChain {
		s.chain = chain{}
		return swWrongLength, true
	}
	data := slices.Concat(s.chain.data, cmd.Data)
	if cmd.CLA&claChain != 0 {
		s.chain = chain{open: true, ins: cmd.INS, p1: cmd.P1, p2: cmd.P2, data: data}
		return swOK, true
	}
	s.chain = chain{}
	cmd.Data = data
	return swOK, false
}

func (c *Card) execute(cmd apdu.Command) ([]byte, status) {
	switch cmd.INS {
	case insSelect:
		return c.selectApplication(cmd)
	case insGetData:
		return c.getData(cmd)
	case insVerify:
		return nil, c.verify(cmd)
	case insChangeReferenceData:
		return nil, c.changeReferenceData(cmd)
	case insResetRetryCounter:
		return nil, c.resetRetryCounter(cmd)
	case insGeneralAuthenticate:
		return c.generalAuthenticate(cmd)
	case insYubicoVersion:
		return []byte{5, 0, 0}, swOK
	case insYubicoSerial:
		return c.guid[:4], swOK
	default:
		// PUT DATA and GENERATE ASYMMETRIC KEY PAIR are for who has the card
		// management key (part 2, 3.3), and these cards have none.
		return nil, swSecurityNotSatisfied
	}
}

// selectApplication is SELECT (part 2, 3.1.1) by application identifier. A name
// that is not known changes nothing. Selecting PIV again leaves its security
// status as it is; selecting the other application resets it.
func (c *Card) selectApplication(cmd apdu.Command) ([]byte, status) {
	switch {
	case cmd.P1 != 0x04 || cmd.P2 != 0x00:
		return nil, swWrongP1P2
	case names(cmd.Data, pivAID):
		c.session.app = appPIV
		return propertyTemplate(), swOK
	case len(cmd.Data) == 0, names(cmd.Data, managerAID):
		c.session = session{app: appManager, verified: c.session.verified && c.hasFault(FaultPINKept)}
		return managerTemplate(), swOK
	default:
		return nil, swNotFound
	}
}

// names reports whether a name is an application's, or its beginning and at
// least the provider's identifier (ISO 7816-4, 8.2.1.2).
func names(name, aid []byte) bool {
	return len(name) >= ridLength && len(name) <= len(aid) && string(name) == string(aid[:len(name)])
}

// getData is GET DATA (part 2, 3.1.2): one object, by the tag in a tag list.
func (c *Card) getData(cmd apdu.Command) ([]byte, status) {
	if cmd.P1 != 0x3F || cmd.P2 != 0xFF {
		return nil, swWrongP1P2
	}
	list := cmd.Data
	if len(list) < 3 || list[0] != 0x5C || int(list[1]) != len(list)-2 || len(list) > 5 {
		return nil, swWrongData
	}
	var tag objectTag
	for _, octet := range list[2:] {
		tag = tag<<8 | objectTag(octet)
	}
	object, ok := c.objects[tag]
	if !ok {
		return nil, swNotFound
	}
	return object, swOK
}
