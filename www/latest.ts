// Work that follows what the user does: the newest wish counts, and what came in between is skipped.

export class Latest {
  private running = false;
  private wanted = false;

  /** `work` reads what is wanted when it begins, and handles its own errors. */
  constructor(private readonly work: () => Promise<void>) {}

  /** Something else is wanted: works at once, or when what runs is over. */
  again(): void {
    this.wanted = true;
    if (!this.running) void this.run();
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.wanted) {
      this.wanted = false;
      await this.work();
    }
    this.running = false;
  }
}
