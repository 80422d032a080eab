package cis2

// Sure is how well a fact of CIS2 is known.
type Sure string

// How well.
const (
	Verified Sure = "verified" // read in the source named
	Inferred Sure = "inferred" // follows from the sources named
	Guessed  Sure = "guessed"  // made up, because no source says it
)

// Source is where a fact was read: a page of NHS England's documentation of
// CIS2, or a public repository of an NHS organisation.
type Source string

// The sources, by the short names that the project uses for them.
const (
	srcACR      Source = "ACR"       // NHS: acr values, for developers
	srcAALPost  Source = "AAL-POST"  // NHS developer community 11684: PDS FHIR API and AAL2 authenticators
	srcAuthn    Source = "AUTHN"     // NHS: authenticators
	srcDisc     Source = "DISC"      // NHS: discovery
	srcEnv      Source = "ENV"       // NHS: register to access an environment
	srcLive     Source = "LIVE"      // NHS: put your software live
	srcMock     Source = "MOCK"      // NHS: testing APIs with our mock authorisation service
	srcNative   Source = "NATIVE"    // NHS: native applications
	srcPTLReq   Source = "PTLREQ"    // NHS: smartcard request form for the path-to-live environments
	srcScope    Source = "SCOPE"     // NHS: scopes and claims
	srcSec      Source = "SEC"       // NHS: security considerations
	srcTest     Source = "TEST"      // NHS: test your software
	srcDom      Source = "DOM"       // NHS: allowing domains
	srcCPT      Source = "r:CPT"     // NHSDigital/eps-prescription-tracker-ui
	srcEPS      Source = "r:EPS"     // NHSDigital/electronic-prescription-service-api
	srcIDS      Source = "r:IDS"     // NHSDigital/identity-service-api
	srcMAVIS    Source = "r:MAVIS"   // NHSDigital/manage-vaccinations-in-schools
	srcMBS      Source = "r:MBS"     // NHSDigital/dtos-manage-breast-screening
	srcNDR      Source = "r:NDR"     // NHSDigital/national-document-repository
	srcNOTIFY   Source = "r:NOTIFY"  // NHSDigital/nhs-notify-iam-webauth
	srcPYT      Source = "r:PYT"     // NHSDigital/pytest-nhsd-apim
	srcPublic   Source = "public"    // public code of an NHS organisation, not named here
	srcOwn      Source = "own"       // made up by this project
	srcForgeAM  Source = "ForgeRock" // the product that CIS2 runs on (r:IDS names its claims)
	srcSelfServ Source = "ADDAUTH"   // NHS: add an authenticator yourself
)
