"""Words that are no organization's slug: products have pages of their own beside those of their organizations."""

WORDS = """
    about account accounts admin administrator api app apps assets auth billing blog callback cdn contact dashboard
    docs download edit email error explore faq favicon files health help home images internal invitation invitations
    invite jobs legal login logout mail member members metrics new news none null oauth organization organizations
    owner owners pricing privacy profile project projects public register root search security settings setup sign-in
    sign-out sign-up signin signout signup slug static status support system team teams tenantry terms test undefined
    user users webhook webhooks well-known www
"""
RESERVED = frozenset(WORDS.split())
