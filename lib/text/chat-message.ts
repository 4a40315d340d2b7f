// A turn of a conversation.

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}
