export default {
    data() {
        return {
            progress: 0,
            status: '',
            connectionId: null,
            eventSource: null
        };
    },
    mounted() {
        this.connectSSE();
    },
    beforeUnmount() {
        this.disconnectSSE();
    },
    methods: {
        async connectSSE() {
            this.eventSource = new EventSource('http://localhost:8000/api/v1/sse/connect');
            
            this.eventSource.addEventListener('connected', async (e) => {
                const data = JSON.parse(e.data);
                this.connectionId = data.connectionId;
                
                await this.subscribeToJob(this.jobId);
            });
            
            this.eventSource.addEventListener('job_update', (e) => {
                const data = JSON.parse(e.data);
                this.progress = data.progress;
                this.status = data.message;
            });
        },
        async subscribeToJob(jobId) {
            await fetch(
                `http://localhost:8000/api/v1/sse/${this.connectionId}/subscribe/job/${jobId}`,
                { method: 'POST' }
            );
        },
        async disconnectSSE() {
            if (this.connectionId && this.jobId) {
                await fetch(
                    `http://localhost:8000/api/v1/sse/${this.connectionId}/unsubscribe/job/${this.jobId}`,
                    { method: 'POST' }
                );
            }
            if (this.eventSource) {
                this.eventSource.close();
            }
        }
    }
};
